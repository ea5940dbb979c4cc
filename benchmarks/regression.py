"""Is `trm-edge regress` red when a bundle became worse, and only then?

    python benchmarks/regression.py --output benchmarks/results

The bundled Sudoku model in INT8. Unchanged, it is checked again and again, alone and beside
processes that keep every core busy; then with faults of known size, each a few times.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import injuries
import numpy as np
from neighbours import neighbours
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.files import write_text
from trm_edge.reference import reference_checkpoint
from trm_edge.regression.baseline import Measured
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, regressed
from trm_edge.regression.run import new_baseline, regress, regress_speed
from trm_edge.regression.speed import FLOAT32, STEP, measure_speed
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profile import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for


@click.command(help=__doc__)
@click.option("--unchanged", default=20, show_default=True, help="Runs of the bundle as it is.")
@click.option("--times", default=10, show_default=True, help="Runs of each slowdown.")
@click.option("--seeds", default=10, show_default=True, help="Of each fault of the weights.")
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(unchanged: int, times: int, seeds: int, output: Path) -> None:
    report: dict[str, Any] = {"machine": str(Machine.here()), "rows": []}
    output.mkdir(parents=True, exist_ok=True)

    def note(what: str, measured: str, runs: Iterable[list[Check]]) -> None:
        red = [[check.name for check in regressed(checks)] for checks in runs]
        report["rows"].append({"what": what, "measured": measured, "red": red})
        write_text(output / "regression.json", json.dumps(report, indent=1) + "\n")
        click.echo(_line(report["rows"][-1]))

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = load_checkpoint(reference_checkpoint("sudoku"))
        request = ExportRequest(
            checkpoint, task_for(checkpoint.config), "int8", (load_profile("cpu"),)
        )
        good = export_bundle(request, folder / "good")
        baseline = new_baseline(good, "cpu", None)
        with neighbours(busy=True):
            baseline_busy = new_baseline(good, "cpu", None)

        for label, held_against, busy, runs in (
            ("nothing beside it", baseline, False, unchanged),
            ("every core kept busy", baseline, True, unchanged),
            ("every core kept busy, for the baseline too", baseline_busy, True, unchanged),
        ):
            with neighbours(busy=busy):
                checks = (regress_speed(good, held_against, Budgets()) for _ in range(runs))
                note(f"unchanged, {label}", "", checks)
        for percent in (5, 10, 20):
            slow, really = _slower(good, folder / f"slow{percent}", percent)
            for label, busy in (("nothing beside it", False), ("every core kept busy", True)):
                with neighbours(busy=busy):
                    checks = (regress_speed(slow, baseline, Budgets()) for _ in range(times))
                    note(f"{percent} % extra work in a step, {label}", really, checks)
        for what, change, some in (
            ("scales of a matrix x 2", injuries.scale_doubled, seeds),
            ("a weight's sign bit flipped", injuries.bit_flipped, seeds),
            ("halting bias + 1", injuries.halting_shifted(1.0), 1),
            ("halting bias - 1", injuries.halting_shifted(-1.0), 1),
        ):
            copies = (
                injuries.injured(good.path, folder / f"{what}{seed}", change, seed)
                for seed in range(some)
            )
            note(what, "", (_answers(copy, baseline) for copy in copies))
        shuffled = injuries.labels_shuffled(good.path, folder / "labels")
        note("labels shuffled", "", [_answers(shuffled, baseline)])
    write_text(output / "regression.md", _page(report))


def _answers(copy: Path, baseline: Measured) -> list[Check]:
    return regress(Bundle.open(copy), baseline, Budgets(), speed=False)


def _slower(good: Bundle, folder: Path, percent: int) -> tuple[Bundle, str]:
    """With as many extra products as come next to that share of a slot's time, and its size."""
    probe, width = 20, good.config.hidden_size

    def copy(products: int) -> Bundle:
        extra = injuries.extra_products(products, width)
        return Bundle.open(
            injuries.injured(good.path, folder.with_name(f"{folder.name}-{products}"), extra)
        )

    before = _cost(good)
    each = (_cost(copy(probe))[0] / before[0] - 1) / probe
    slow = copy(max(1, round(percent / 100 / each)))
    more = 100 * (_cost(slow) / before - 1)
    return slow, f"{more[0]:+.1f} % of 1 slot, {more[1]:+.1f} % of 8"


def _cost(bundle: Bundle) -> NDArray[np.float64]:
    """A step of 1 slot and of 8, beside the float32 step."""
    speed = measure_speed(bundle, "cpu", sessions=8)
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
        "# Red when slower or wronger, and only then\n\n`python benchmarks/regression.py`. "
        f"Machine: {report['machine']}.\n\n| | measured | red (95 %) | by |\n|---|---|---|---|\n"
    )
    return head + "\n".join(map(_line, report["rows"])) + "\n"


if __name__ == "__main__":
    main()
