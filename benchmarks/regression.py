"""Is `trm-edge regress` red when a bundle became worse, and only then?

    python benchmarks/regression.py --output benchmarks/results

The bundled Sudoku model in INT8. Unchanged, it is checked again and again, alone and beside
processes that keep every core busy; then with faults of known size, each a few times.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import injuries

from trm_edge.backends.onnxruntime import available_cores
from trm_edge.bundle import Bundle
from trm_edge.evaluation.baseline import Measured
from trm_edge.evaluation.budgets import Budgets
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.measure import MATMUL, STEP, measure_speed
from trm_edge.evaluation.regress import regressed
from trm_edge.evaluation.regress_run import backends_of, measured_now, run_checks
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.timing import undisturbed
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.reference import reference_checkpoint
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profile import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

# Now heavy arithmetic, now a walk through memory, now nothing: a neighbour that is never the same.
_BUSY = """
import random, time
import numpy as np
a, b = np.ones((600, 600), np.float32), np.ones(20_000_000, np.float32)
while True:
    end = time.perf_counter() + random.uniform(0.05, 1.5)
    kind = random.randrange(3)
    while time.perf_counter() < end:
        (a @ a) if kind == 0 else b.sum() if kind == 1 else time.sleep(0.01)
"""


@click.command(help=__doc__)
@click.option("--unchanged", default=20, show_default=True, help="Runs of the bundle as it is.")
@click.option("--times", default=10, show_default=True, help="Runs of each slowdown.")
@click.option("--seeds", default=10, show_default=True, help="Of each fault of the weights.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(unchanged: int, times: int, seeds: int, output: Path) -> None:
    report: dict[str, Any] = {"machine": str(Machine.here()), "rows": []}
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = load_checkpoint(reference_checkpoint("sudoku"))
        task = task_for(checkpoint.config)
        request = ExportRequest(checkpoint, task, "int8", (load_profile("cpu"),))
        good = export_bundle(request, folder / "good")
        baseline, vectors, _ = measured_now(good, "cpu")

        def note(what: str, found: list[list[str]], extra: str = "") -> None:
            row = {"what": what, "red": found, "measured": extra}
            report["rows"].append(row)
            write_text(output / "regression.json", json.dumps(report, indent=1) + "\n")
            click.echo(_line(row))

        def timed(bundle: Bundle) -> list[str]:
            """What is red of the speed, as `trm-edge regress` decides it."""
            speed = measure_speed(bundle, "cpu", backends_of(bundle, "cpu"))
            now = replace(baseline, speeds=(speed,))
            checks = run_checks(bundle, now, baseline, Budgets(), vectors)
            return [check.name for check in regressed(checks)]

        note("unchanged, nothing beside it", [timed(good) for _ in range(unchanged // 2)])
        with _load():
            note("unchanged, every core kept busy", [timed(good) for _ in range(unchanged)])
        width = checkpoint.config.hidden_size
        for percent in (5, 10, 20):
            slow, really = _slower(good, folder / f"slow{percent}", percent, width)
            for label, busy in (("nothing beside it", False), ("every core kept busy", True)):
                with _load(busy):
                    note(
                        f"{percent} % extra work in a step, {label}",
                        [timed(slow) for _ in range(times)],
                        f"{really:+.1f} % of CPU time",
                    )
        for what, change in (
            ("scales of a matrix x 2", injuries.scale_doubled),
            ("a weight's sign bit flipped", injuries.bit_flipped),
            ("halting bias + 1", injuries.halting_shifted(1.0)),
            ("halting bias - 1", injuries.halting_shifted(-1.0)),
        ):
            some = 1 if "bias" in what else seeds
            note(
                what,
                [
                    _answers(
                        injuries.injured(good.path, folder / f"{what}{seed}", change, seed),
                        baseline,
                    )
                    for seed in range(some)
                ],
            )
        shuffled = injuries.labels_shuffled(good.path, folder / "labels")
        note("labels shuffled", [_answers(shuffled, baseline)])
    page = _page(report)
    write_text(output / "regression.md", page)


def _answers(path: Path, baseline: Measured) -> list[str]:
    bundle = Bundle.open(path)
    now, vectors, _ = measured_now(bundle, "cpu", speed=False)
    checks = run_checks(bundle, now, baseline, Budgets(), vectors)
    return [check.name for check in regressed(checks)]


def _slower(good: Bundle, folder: Path, percent: int, width: int) -> tuple[Bundle, float]:
    """With as many extra products as come next to that share of CPU time, and what they are."""

    def cost(bundle: Bundle) -> float:
        speed = measure_speed(bundle, "cpu", backends_of(bundle, "cpu"), rounds=15, slots=(1,))
        return undisturbed(speed.times["1"][STEP], speed.times["1"][MATMUL])

    before, probe = cost(good), 20
    change = injuries.extra_products(probe, width)
    trial = Bundle.open(injuries.injured(good.path, folder.with_name(f"{folder.name}-p"), change))
    each = (cost(trial) / before - 1) / probe
    count = max(1, round(percent / 100 / each))
    change = injuries.extra_products(count, width)
    slow = Bundle.open(injuries.injured(good.path, folder, change))
    return slow, 100 * (cost(slow) / cost(good) - 1)


@contextmanager
def _load(busy: bool = True) -> Iterator[None]:
    """Processes beside this one, one a core."""
    count = available_cores() if busy else 0
    beside = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(count)]
    time.sleep(1 if busy else 0)
    try:
        yield
    finally:
        for process in beside:
            process.kill()
            process.wait()


def _line(row: dict[str, Any]) -> str:
    runs, red = len(row["red"]), sum(bool(found) for found in row["red"])
    low, high = wilson_interval(red, runs)
    names = sorted({name for found in row["red"] for name in found})
    return (
        f"| {row['what']} | {row['measured']} | {red} of {runs} "
        f"({100 * low:.0f} - {100 * high:.0f} %) | {', '.join(names)} |"
    )


def _page(report: dict[str, Any]) -> str:
    head = (
        "# Red when slower or wronger, and only then\n\n`python benchmarks/regression.py`. "
        f"Machine: {report['machine']}.\n\n| | measured | red (95 %) | by |\n|---|---|---|---|\n"
    )
    return head + "\n".join(map(_line, report["rows"])) + "\n"


if __name__ == "__main__":
    main()
