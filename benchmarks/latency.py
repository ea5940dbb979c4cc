"""Measure single answers under a deadline, as a robot asks for them: latency, lateness, memory.

    python benchmarks/latency.py build/regress/sudoku build/regress/maze --output benchmarks/results

Solves the model's held-out puzzles one at a time, over and over, first alone and then with a busy
process on every core. A row that is in latency.json already, with the same settings, is kept.
Writes latency.json and latency.md.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import numpy as np
from lib.document_tables import update_tables
from lib.neighbours import neighbours
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.loop.solver import Solver
from trm_edge.reference import reference_puzzles
from trm_edge.tasks.base import Entry

DEADLINES = {"sudoku": 0.05, "maze": 0.1}  # seconds, by task
LOADS = ("nothing", "a busy process on every core")
WARM_UP = 50  # solves that are not counted
_SETTINGS = ("model", "load", "deadline_ms", "solves", "threads")


@dataclass(frozen=True)
class Latencies:
    """What was measured of every solve.

    Args:
        seconds: from the call to its answer, (n,).
        cpu: seconds that this process computed meanwhile, on all its threads, (n,).
        steps: ACT steps, (n,).
        exact: the answer is the known one, (n,).
        timed_out: the deadline came before the halting rule held, (n,).
    """

    seconds: NDArray[np.float64]
    cpu: NDArray[np.float64]
    steps: NDArray[np.int32]
    exact: NDArray[np.bool_]
    timed_out: NDArray[np.bool_]

    @classmethod
    def empty(cls, count: int) -> Latencies:
        """Allocate room, so that recording takes no memory.

        Args:
            count: number of solves.
        """
        return cls(
            seconds=np.zeros(count),
            cpu=np.zeros(count),
            steps=np.zeros(count, np.int32),
            exact=np.zeros(count, np.bool_),
            timed_out=np.zeros(count, np.bool_),
        )

    def figures(self, deadline: float) -> dict[str, Any]:
        """Sum up for a row of the report.

        Args:
            deadline: in seconds.
        """
        step = float(np.median(self.seconds / self.steps))
        late = self.seconds > deadline
        very_late = self.seconds > deadline + step
        p50, p99, p999 = 1e3 * np.percentile(self.seconds, (50, 99, 99.9))
        return {
            "step_ms": 1e3 * step,
            "p50_ms": float(p50),
            "p99_ms": float(p99),
            "p99.9_ms": float(p999),
            "max_ms": 1e3 * float(self.seconds.max()),
            "late": int(late.sum()),
            "late_by_more_than_a_step": int(very_late.sum()),
            "late_by_own_computing": int((very_late & (self.cpu > deadline)).sum()),
            "timed_out": float(self.timed_out.mean()),
            "exact": float(self.exact.mean()),
            "mean_steps": float(self.steps.mean()),
        }


@click.command(help=__doc__)
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--solves", default=10_000, show_default=True, help="Of each row.")
@click.option("--threads", default=1, show_default=True, help="Of the solver.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", type=click.Path(path_type=Path), help="Document to write the table into.")
def main(
    bundles: Sequence[Path], solves: int, threads: int, output: Path, update: Path | None
) -> None:
    results = output / "latency.json"
    report: dict[str, Any] = {"rows": []}
    if results.exists():
        report = json.loads(results.read_text())
    for folder in bundles:
        bundle = Bundle.open(folder)
        for load in LOADS:
            settings = _settings(bundle, load, solves, threads)
            if any(_has(row, settings) for row in report["rows"]):
                continue
            click.echo(f"{bundle.task().name}, beside {load}: {solves} solves")
            row = {**settings, **_measured(bundle, settings)}
            others = [other for other in report["rows"] if not _replaces(settings, other)]
            report["rows"] = sorted([*others, row], key=_place)
            write_text(results, json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "latency.md", page)
    if update is not None:
        update_tables(update, {"latency": _table(report)})
    click.echo(page)


def _settings(bundle: Bundle, load: str, solves: int, threads: int) -> dict[str, Any]:
    task = bundle.task().name
    if task not in DEADLINES:
        raise click.ClickException(
            f"a bundle must be of the task {' or '.join(DEADLINES)}, but {bundle.path} is of the "
            f"task {task}."
        )
    values = (task, load, 1e3 * DEADLINES[task], solves, threads)
    return dict(zip(_SETTINGS, values, strict=True))


def _has(row: dict[str, Any], settings: dict[str, Any]) -> bool:
    return all(row[name] == settings[name] for name in _SETTINGS)


def _replaces(settings: dict[str, Any], row: dict[str, Any]) -> bool:
    return all(row[name] == settings[name] for name in ("model", "load"))


def _place(row: dict[str, Any]) -> tuple[int, int]:
    """Where a row stands in the table."""
    return list(DEADLINES).index(row["model"]), LOADS.index(row["load"])


def _measured(bundle: Bundle, settings: dict[str, Any]) -> dict[str, Any]:
    """Solve, and describe the machine and its load before and after."""
    entries = _entries(bundle)
    deadline = settings["deadline_ms"] / 1e3
    latencies = Latencies.empty(settings["solves"])
    load_before = os.getloadavg()[0]
    beside = nullcontext() if settings["load"] == LOADS[0] else neighbours()
    solver = bundle.solver("cpu", batch=1, threads=settings["threads"], deadline=deadline)
    with beside, solver:
        _solve(solver, entries, Latencies.empty(WARM_UP))
        resident_before = resident_bytes()
        _solve(solver, entries, latencies)
        resident_after = resident_bytes()
    return {
        **latencies.figures(deadline),
        "resident_before_mb": resident_before / 1e6,
        "resident_after_mb": resident_after / 1e6,
        "load_average_before": load_before,
        "load_average_after": os.getloadavg()[0],
        "machine": str(Machine.current()),
    }


def _entries(bundle: Bundle) -> list[Entry]:
    task = bundle.task()
    path = reference_puzzles(task.name, "held_out", bundle.config.seq_len)
    if path is None:
        raise click.ClickException(f"there are no bundled puzzles of the shape of {bundle.path}.")
    return [entry for entry in task.read(path) if isinstance(entry, Entry)]


def _solve(solver: Solver, entries: Sequence[Entry], latencies: Latencies) -> None:
    """Solve puzzle after puzzle and record every solve."""
    for number, entry in zip(range(len(latencies.seconds)), cycle(entries), strict=False):
        cpu = time.process_time()
        start = time.perf_counter()
        solution = solver.solve_one(entry.puzzle)
        latencies.seconds[number] = time.perf_counter() - start
        latencies.cpu[number] = time.process_time() - cpu
        latencies.steps[number] = solution.steps
        if entry.answer is not None:
            latencies.exact[number] = np.array_equal(solution.answer, entry.answer)
        latencies.timed_out[number] = solution.timed_out


def resident_bytes() -> int:
    """Return the memory of this process that is resident now; Linux alone tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _page(report: dict[str, Any]) -> str:
    lines = [
        "# Single answers under a deadline\n",
        "`python benchmarks/latency.py`.\n",
        _table(report),
        "",
    ]
    for row in report["rows"]:
        load = f"{row['load_average_before']:.1f} to {row['load_average_after']:.1f}"
        lines.append(f"- {row['model']}, beside {row['load']}: {row['machine']}; load {load}.")
    return "\n".join(lines) + "\n"


def _table(report: dict[str, Any]) -> str:
    lines = [
        "| model | beside it | deadline, ms | one step, ms | p50 | p99 | p99.9 | max | late "
        "| late by more than a step | of these, by own computing | timed out, % | exact, % "
        "| memory before, after, MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        cells = [
            row["model"],
            row["load"],
            f"{row['deadline_ms']:g}",
            f"{row['step_ms']:.1f}",
            *(f"{row[f'{name}_ms']:.1f}" for name in ("p50", "p99", "p99.9", "max")),
            f"{row['late']} of {row['solves']:,}",
            str(row["late_by_more_than_a_step"]),
            str(row["late_by_own_computing"]),
            f"{100 * row['timed_out']:.1f}",
            f"{100 * row['exact']:.1f}",
            f"{row['resident_before_mb']:.1f}, {row['resident_after_mb']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
