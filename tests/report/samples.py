"""Made-up content of reports, so that no test of the page depends on a measured time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from tests.regression.measurements import MACHINE, measured, speed
from tests.toys import BASE
from trm_edge.bundle import Bundle
from trm_edge.evaluation.bench import BenchRow, Latency
from trm_edge.evaluation.bench_file import BenchRecord, write_bench
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity
from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.baseline import Measurement
from trm_edge.report.content import Report
from trm_edge.report.history import History
from trm_edge.report.refinement import Refinement
from trm_edge.report.rows import BundleTarget, ReportRow, RowGroup, collect_rows, group_rows
from trm_edge.tasks import task_named

HOSTILE = "</script><img src=x onerror=\"alert('x')\"> & <!-- %{x} var(--page)"
CELLS = {"arc": 900, "sudoku": 81, "maze": 169, "tokens": 9}
VOCABULARIES = {"arc": 12, "sudoku": 11, "maze": 6, "tokens": 7}


def untimed_row(bundle: Bundle) -> ReportRow:
    """Return the row of a bundle's cpu target, solved but not timed."""
    return collect_rows([BundleTarget(bundle, "cpu")], lambda bundle, target: None)[0]


def bench_row(row: ReportRow, ms: float = 2.0, joules: float | None = None) -> BenchRow:
    """Return made-up timings of a row: ``ms`` per step and slot."""
    latencies = []
    for slots in (1, 32):
        time = slots * ms
        latencies.append(Latency(slots, time, time * 1.1, time * 1.3, Ratio(2.5, 2.4, 2.6)))
    return BenchRow(
        bundle=str(row.bundle.path),
        target=row.target,
        precision=row.precision,
        engine=row.engine,
        size_bytes=row.bytes,
        parity=row.parity,
        latencies=tuple(latencies),
        puzzles_per_second=321.0,
        peak_memory_bytes=87_000_000,
        startup_seconds=0.4,
        joules_per_puzzle=joules,
    )


def bench_json(path: Path, *rows: BenchRow) -> Path:
    """Write rows as ``trm-edge bench -o`` does."""
    write_bench(path, BenchRecord(MACHINE, rows))
    return path


def baseline(days: int, slower: float = 1.0) -> Measurement:
    """Return a baseline made that many days after the first."""
    created = datetime(2026, 3, 1, tzinfo=timezone.utc) + timedelta(days=days)
    return measured(speeds=(speed(days, slower),), provenance={"made": created.isoformat()})


def refinement(name: str) -> Refinement:
    """Return a made-up puzzle of a task that changes three cells in each of four steps."""
    rng = np.random.default_rng(0)
    cells = CELLS[name]
    vocabulary = VOCABULARIES[name]
    config = replace(BASE, seq_len=cells, vocab_size=vocabulary)
    task = task_named(name, config)
    tokens = rng.integers(1, vocabulary, cells)
    steps = [tokens]
    for step in range(1, 5):
        changed = steps[-1].copy()
        changed[rng.choice(cells, 3, replace=False)] = vocabulary - step % 2 - 1
        steps.append(changed)
    return Refinement(
        label="toy",
        task=name,
        number=7,
        columns=task.columns,
        boxes=task.boxes,
        looks=task.looks(),
        puzzle=tuple(tokens.tolist()),
        steps=tuple(tuple(step.tolist()) for step in steps[1:]),
        confidence=(0.02, 0.31, 0.47, 0.93),
        halted=True,
        right=True,
    )


def ranking() -> LayerRanking:
    """Return a ranking of eight layers over eight orders of magnitude."""
    layers: list[LayerSensitivity] = []
    for name in ("mlp_t.gate_up_proj", "mlp_t.down_proj", "mlp.gate_up_proj", "mlp.down_proj"):
        for block in (0, 1):
            error = 10.0 ** -(len(layers) + 1)
            layer = f"layers.{block}.{name}"
            layers.append(LayerSensitivity(layer, error, 3 * error, 0.01, 1, 0))
    return LayerRanking(32, tuple(layers))


def hostile_ranking(ranking: LayerRanking) -> LayerRanking:
    """Return the same ranking with layer names that try to break out of the page."""
    layers = [replace(layer, layer=f"{layer.layer}{HOSTILE}") for layer in ranking.layers]
    return replace(ranking, layers=tuple(layers))


def report(path: Path, *, timed: bool = True, label: str = "toy") -> Report:
    """Return a report with every section filled.

    One group has two rows of a toy bundle, a second group has one of them.
    """
    first = replace(untimed_row(Bundle.open(path)), label=label)
    second = replace(first, label=f"{label} again")
    if timed:
        first = replace(first, bench=bench_row(first, 2.0, joules=0.5))
        second = replace(second, bench=bench_row(second, 3.0))
    (group,) = group_rows([first, second])
    another = RowGroup("another", (replace(first, label=f"{label} elsewhere"),))
    history = History(f"{label}.json", tuple(map(baseline, (0, 3, 9))), ())
    return Report(
        version="0.0",
        created="2026-03-01 12:00 UTC",
        machines=(("Machine", "a CPU, 2 cores"),),
        groups=(group, another),
        rankings=((replace(first, bench=None), ranking()),),
        histories=(history,),
        refinements=tuple(map(refinement, ("sudoku", "maze", "tokens"))),
    )
