"""Reports of things that are made up, so that no test here rests on a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from tests.regression.measurements import MACHINE, measured, speed
from trm_edge.bundle import Bundle
from trm_edge.evaluation.bench import BenchRow, Latency
from trm_edge.evaluation.bench_file import BenchRecord, write_bench
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity
from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.baseline import Measurement
from trm_edge.report.history import History
from trm_edge.report.page import Report
from trm_edge.report.refinement import Refinement
from trm_edge.report.rows import Group, Row, gather, grouped

HOSTILE = "</script><img src=x onerror=\"alert('x')\"> & <!-- %{x} var(--page)"


def row(bundle: Bundle) -> Row:
    """What the bundle answers, untimed."""
    return gather([(bundle, "cpu")], lambda bundle, target: None)[0]


def bench_row(row: Row, ms: float = 2.0, joules: float | None = None) -> BenchRow:
    """Times of a row that nobody took."""
    return BenchRow(
        bundle=str(row.bundle.path),
        target=row.target,
        precision=row.precision,
        engine=row.engine,
        size_bytes=row.bytes,
        parity=row.parity,
        latencies=tuple(
            Latency(slots, slots * ms, slots * ms * 1.1, slots * ms * 1.3, Ratio(2.5, 2.4, 2.6))
            for slots in (1, 32)
        ),
        puzzles_per_second=321.0,
        peak_memory_bytes=87_000_000,
        startup_seconds=0.4,
        joules_per_puzzle=joules,
    )


def bench_json(path: Path, *rows: BenchRow) -> Path:
    """As ``trm-edge bench -o`` writes it."""
    write_bench(path, BenchRecord(MACHINE, rows))
    return path


def baseline(days: int, slower: float = 1.0) -> Measurement:
    """A baseline that was made so many days after the first."""
    made = datetime(2026, 3, 1, tzinfo=timezone.utc) + timedelta(days=days)
    return measured(speeds=(speed(days, slower),), provenance={"made": made.isoformat()})


def refinement(task: str) -> Refinement:
    """A puzzle of that task that gets three cells in each of four steps."""
    rng = np.random.default_rng(0)
    if task == "sudoku":
        looks = [("", "blank"), ("", "blank"), *((str(digit), "digit") for digit in range(1, 10))]
        columns, empty, tokens = 9, 1, rng.integers(1, 11, 81)
    elif task == "maze":
        looks = [("?", "pad"), ("", "wall"), ("", "open"), ("S", "end"), ("G", "end"), ("", "way")]
        columns, empty, tokens = 13, 2, rng.integers(1, 3, 169)
        tokens[[0, -1]] = 3, 4
    else:
        looks = [(str(token), "token") for token in range(7)]
        columns, empty, tokens = 3, 0, rng.integers(0, 7, 9)
    steps = [tokens.copy()]
    for step in range(1, 5):
        after = steps[-1].copy()
        after[rng.choice(np.flatnonzero(after != -1), 3, replace=False)] = len(looks) - step % 2 - 1
        steps.append(after)
    assert empty < len(looks)
    return Refinement(
        label="toy",
        task=task,
        number=7,
        columns=columns,
        looks=tuple(looks),
        puzzle=tuple(steps[0].tolist()),
        steps=tuple(tuple(one.tolist()) for one in steps[1:]),
        confidence=(0.02, 0.31, 0.47, 0.93),
        halted=True,
        right=True,
    )


def ranking() -> LayerRanking:
    """Of eight layers, over three orders of magnitude."""
    names = ("mlp_t.gate_up_proj", "mlp_t.down_proj", "mlp.gate_up_proj", "mlp.down_proj")
    layers = tuple(
        LayerSensitivity(f"layers.{block}.{name}", 10**-place, 3 * 10**-place, 0.01, 1, 0)
        for place, (block, name) in enumerate(
            ((block, name) for name in names for block in (0, 1)), 1
        )
    )
    return LayerRanking(32, layers)


def hostile_ranking(ranking: LayerRanking) -> LayerRanking:
    """The same with layer names that try to leave their place in the page."""
    layers = [replace(layer, layer=f"{layer.layer}{HOSTILE}") for layer in ranking.layers]
    return replace(ranking, layers=tuple(layers))


def report(path: Path, *, timed: bool = True, label: str = "toy") -> Report:
    """Every section full: two rows of a toy bundle in one group, one of it in another."""
    first = replace(row(Bundle.open(path)), label=label)
    second = replace(first, label=f"{label} again")
    rows = [first, second]
    if timed:
        rows = [
            replace(first, bench=bench_row(first, 2.0, joules=0.5)),
            replace(second, bench=bench_row(second, 3.0)),
        ]
    tokens = grouped(rows)[0]
    return Report(
        version="0.0",
        made="2026-03-01 12:00 UTC",
        machines=(("Machine", "a CPU, 2 cores"),),
        groups=(tokens, Group("another", (replace(rows[0], label=f"{label} elsewhere"),))),
        layers=((first, ranking()),),
        histories=(History(f"{label}.json", tuple(baseline(days) for days in (0, 3, 9)), ()),),
        refinements=tuple(refinement(task) for task in ("sudoku", "maze", "tokens")),
    )
