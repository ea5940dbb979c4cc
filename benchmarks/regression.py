"""Rates of detection and of false alarms of `trm-edge regress`.

    python benchmarks/regression.py --output benchmarks/results

The bundled Sudoku model in INT8. Unchanged, it is checked again and again, alone and beside
processes that keep every core busy; then with faults of known size, each a few times.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from lib import injuries
from lib.neighbours import neighbours
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.reference import reference_checkpoint
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, regressed
from trm_edge.regression.run import new_baseline, regress, regress_speed
from trm_edge.regression.speed import FLOAT32, STEP, measure_speed
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

Found = tuple[str, list[list[Check]]]  # what the fault measures, and the checks of each run
Row = Callable[[], Found]


@click.command(help=__doc__)
@click.option("--unchanged", default=20, show_default=True, help="Runs of the bundle as it is.")
@click.option("--times", default=10, show_default=True, help="Runs of each slowdown.")
@click.option("--seeds", default=10, show_default=True, help="Of each fault of the weights.")
@click.option("--resume", is_flag=True, help="Keep the rows that the output has already.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(unchanged: int, times: int, seeds: int, resume: bool, output: Path) -> None:
    results = output / "regression.json"
    report: dict[str, Any] = {"machine": str(Machine.current()), "rows": []}
    if resume and results.exists():
        report = json.loads(results.read_text())
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = load_checkpoint(reference_checkpoint("sudoku"))
        request = ExportRequest(
            checkpoint, task_for(checkpoint.config), "int8", (load_profile("cpu"),)
        )
        good = export_bundle(request, folder / "good")
        baseline = new_baseline(good, "cpu", None)
        rows = {
            **_unchanged(good, baseline, unchanged),
            **_slower(good, baseline, folder, times),
            **_less_accurate(good, baseline, folder, seeds),
        }
        order = {what: place for place, what in enumerate(rows)}
        done = {row["what"] for row in report["rows"]}
        for what, measure in rows.items():
            if what in done:
                continue
            measured, runs = measure()
            red = [[check.id for check in regressed(checks)] for checks in runs]
            row = {"what": what, "measured": measured, "red": red}
            report["rows"] = sorted([*report["rows"], row], key=lambda one: order[one["what"]])
            write_text(results, json.dumps(report) + "\n")
            click.echo(_line(row))
    write_text(output / "regression.md", _page(report))


def _unchanged(good: Bundle, baseline: Measurement, runs: int) -> dict[str, Row]:
    def alone() -> Found:
        return "", [regress_speed(good, baseline, Budgets()) for _ in range(runs)]

    def busy() -> Found:
        with neighbours():
            return alone()

    def busy_then() -> Found:
        with neighbours():
            then = new_baseline(good, "cpu", None)
            return "", [regress_speed(good, then, Budgets()) for _ in range(runs)]

    return {
        "unchanged, nothing beside it": alone,
        "unchanged, every core kept busy": busy,
        "unchanged, every core kept busy, for the baseline too": busy_then,
    }


def _slower(good: Bundle, baseline: Measurement, folder: Path, runs: int) -> dict[str, Row]:
    @cache
    def slow(percent: int) -> tuple[Bundle, str]:
        return _with_extra_work(good, folder, percent)

    def alone(percent: int) -> Found:
        bundle, really = slow(percent)
        return really, [regress_speed(bundle, baseline, Budgets()) for _ in range(runs)]

    def busy(percent: int) -> Found:
        slow(percent)
        with neighbours():
            return alone(percent)

    return {
        f"{percent} % extra work in a step, {where}": partial(run, percent)
        for percent in (5, 10, 20)
        for where, run in (("nothing beside it", alone), ("every core kept busy", busy))
    }


def _less_accurate(good: Bundle, baseline: Measurement, folder: Path, seeds: int) -> dict[str, Row]:
    def found(make: Callable[[Path, int], Path], runs: int, budgets: Budgets) -> Found:
        checks = []
        for seed in range(runs):
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                copy = Bundle.open(make(Path(scratch) / "copy", seed))
                checks.append(regress(copy, baseline, budgets, speed=False))
        return "", checks

    def injured(change: injuries.Change) -> Callable[[Path, int], Path]:
        return lambda copy, seed: injuries.injured(good.path, copy, change, seed)

    pinned = Budgets(pinned=True)
    return {
        what: partial(found, make, runs, budgets)
        for what, make, runs, budgets in (
            ("scales of a matrix x 2", injured(injuries.scale_doubled), seeds, Budgets()),
            ("a weight's sign bit flipped", injured(injuries.bit_flipped), seeds, Budgets()),
            ("the same, pinned", injured(injuries.bit_flipped), seeds, pinned),
            ("halting bias + 1", injured(injuries.halting_shifted(1.0)), 1, Budgets()),
            ("halting bias + 2", injured(injuries.halting_shifted(2.0)), 1, Budgets()),
            ("halting bias - 1", injured(injuries.halting_shifted(-1.0)), 1, Budgets()),
            ("halting bias - 2", injured(injuries.halting_shifted(-2.0)), 1, Budgets()),
            ("halting bias - 4", injured(injuries.halting_shifted(-4.0)), 1, Budgets()),
            ("labels shuffled", partial(injuries.labels_shuffled, good.path), 1, Budgets()),
        )
    }


def _with_extra_work(good: Bundle, folder: Path, percent: int) -> tuple[Bundle, str]:
    """With as many extra products as come next to that share of a slot's time, and its size."""
    probe, width = 20, good.config.hidden_size

    def copy(products: int, name: str) -> Bundle:
        extra = injuries.extra_products(products, width)
        return Bundle.open(injuries.injured(good.path, folder / f"{percent} % {name}", extra))

    before = _cost(good)
    each = (_cost(copy(probe, "probe"))[0] / before[0] - 1) / probe
    slow = copy(max(1, round(percent / 100 / each)), "slower")
    more = 100 * (_cost(slow) / before - 1)
    return slow, f"{more[0]:+.1f} % of 1 slot, {more[1]:+.1f} % of 8"


def _cost(bundle: Bundle) -> NDArray[np.float64]:
    """A step of 1 slot and of 8, beside the float32 step."""
    speed = measure_speed(bundle, "cpu", repeats=8)
    return np.array([np.median(by[STEP] / by[FLOAT32]) for by in speed.times.values()])


def _line(row: dict[str, Any]) -> str:
    runs, red = len(row["red"]), sum(bool(found) for found in row["red"])
    low, high = wilson_interval(red, runs)
    counts = Counter(name for found in row["red"] for name in found)
    by = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return (
        f"| {row['what']} | {row['measured']} | {red} of {runs} "
        f"({100 * low:.0f} - {100 * high:.0f} %) | {by} |"
    )


def _page(report: dict[str, Any]) -> str:
    head = (
        "# Detection and false alarms of trm-edge regress\n\n`python benchmarks/regression.py`. "
        f"Machine: {report['machine']}.\n\n| | measured | red (95 %) | by |\n|---|---|---|---|\n"
    )
    return head + "\n".join(map(_line, report["rows"])) + "\n"


if __name__ == "__main__":
    main()
