"""Measure runs over many puzzles: Ray against one process, what Ray costs, and memory.

    python benchmarks/batch.py build/regress/sudoku --output benchmarks/results

First the same puzzles are solved in one process, by two processes with one half each, and with Ray
by one and by two workers, in turn, each with one thread for an engine. The two processes show what
the machine itself has for a second engine. Then an engine that computes nothing solves many more,
for what everything beside the engine costs and how much memory it takes. Every run is a process of
its own. Writes batch.json and batch.md; fails where answers differ or memory grows.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import click
from lib.batch_runs import BatchRun, RunCost, measure
from lib.document_tables import update_tables
from lib.held_out import held_out_texts
from lib.repeated_puzzles import write_repeated
from lib.use_samples import KINDS, UseSample, microseconds_a_row, peak, sample_at

from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text

PARTS = 10  # of a run, to see how steady it is
SHARES = (0.1, 0.5, 0.9)  # of the rows, at which memory is printed; at the end workers are gone
_GROWTH = 0.1  # of the memory, from the second quarter of a run to the last, that is let pass
_GROWTH_MB = 100.0


@click.command(help=__doc__)
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--puzzles", type=click.IntRange(1), default=5_000, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=4, show_default=True)
@click.option(
    "--null-puzzles",
    type=click.IntRange(1),
    default=1_000_000,
    show_default=True,
    help="For the engine that computes nothing.",
)
@click.option(
    "--most-workers",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Of Ray; every number from 1 on is measured. 0: one process alone.",
)
@click.option("--slots", type=click.IntRange(1), default=32, show_default=True)
@click.option("--interval", default=1.0, show_default=True, help="Seconds between two samples.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder.")
@click.option("--update", type=click.Path(path_type=Path), help="Document to write tables into.")
def main(
    bundle: Path,
    puzzles: int,
    repeats: int,
    null_puzzles: int,
    most_workers: int,
    slots: int,
    interval: float,
    output: Path,
    update: Path | None,
) -> None:
    report: dict[str, Any] = {
        "bundle": bundle.resolve().name,
        "puzzles": puzzles,
        "null_puzzles": null_puzzles,
        "slots": slots,
        "machine": str(Machine.current()),
        "load_average_before": os.getloadavg()[0],
    }
    texts = held_out_texts(bundle)
    worker_counts = range(most_workers + 1)  # 0: one process without Ray
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "puzzles.parquet"
        write_repeated(texts, puzzles, source)
        plans = [BatchRun(bundle, source, puzzles, count, slots) for count in worker_counts]
        for count in range(2, most_workers + 1):
            part = folder / f"part-of-{count}.parquet"
            rows = puzzles // count
            write_repeated(texts, rows, part)
            plans.append(BatchRun(bundle, part, rows, 0, slots, processes=count))
        report["runs"] = list(compare(plans, repeats, folder))
        source = folder / "null-puzzles.parquet"
        write_repeated(texts, null_puzzles, source)
        report["null_runs"] = []
        for count in worker_counts:
            run = BatchRun(bundle, source, null_puzzles, count, slots, True, interval)
            report["null_runs"].append(null_figures(run, folder))
    report["load_average_after"] = os.getloadavg()[0]
    write_text(output / "batch.json", json.dumps(report, indent=1) + "\n")
    page = _page(report)
    write_text(output / "batch.md", page)
    if update is not None:
        update_tables(update, _tables(report))
    click.echo(page)
    check(report)


def compare(plans: Sequence[BatchRun], repeats: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Carry out runs in turn, again and again, each time in another order.

    Args:
        plans: of the runs.
        repeats: of all of them.
        folder: for their answers.

    Returns:
        The figures of each run.
    """
    for repeat in range(repeats):
        first = repeat % len(plans)
        for plan in (*plans[first:], *plans[:first]):
            cost = carried_out(plan, folder, f"{repeat + 1} of {repeats}")
            yield {
                "repeat": repeat,
                "workers": plan.workers,
                "processes": plan.processes,
                "start_seconds": cost.start_seconds,
                "solve_seconds": cost.solve_seconds,
                "stop_seconds": cost.stop_seconds,
                "occupancy": cost.occupancy,
                "answers": cost.answers if plan.processes == 1 else None,  # of other rows
            }


def null_figures(run: BatchRun, folder: Path) -> dict[str, Any]:
    """Carry out a run with an engine that computes nothing, and sum up what it used.

    Args:
        run: to measure.
        folder: for the answers.
    """
    cost = carried_out(run, folder, "nothing computed")
    clock, cpu = microseconds_a_row(cost.samples, PARTS)
    return {
        "workers": run.workers,
        "clock_microseconds": clock,
        "cpu_microseconds": cpu,
        "answers": cost.answers,
        "memory": [_memory(sample_at(cost.samples, int(share * run.rows))) for share in SHARES],
        "peak": peak(cost.samples, 1),
        "second_quarter_mb": _mean_memory(cost.samples, run.rows, 0.25, 0.5),
        "last_quarter_mb": _mean_memory(cost.samples, run.rows, 0.75, 1.0),
    }


def carried_out(run: BatchRun, folder: Path, note: str) -> RunCost:
    """Carry out a run, say what it took, and forget its answers.

    Args:
        run: to measure.
        folder: for the answers.
        note: printed beside its name.
    """
    with tempfile.TemporaryDirectory(dir=folder) as answers:
        cost = measure(run, Path(answers))
    rate = run.processes * run.rows / cost.solve_seconds
    name = _name(run.workers, run.processes)
    click.echo(
        f"{name} ({note}): {cost.start_seconds:.1f} s to start, {rate:,.0f} a second", err=True
    )
    return cost


def check(report: dict[str, Any]) -> None:
    """Fail where runs have different answers, or memory grows with the rows.

    Args:
        report: the results.

    Raises:
        ClickException: says what differs.
    """
    for key in ("runs", "null_runs"):
        answers = {run["answers"] for run in report[key]} - {None}
        if len(answers) != 1:
            raise click.ClickException(f"the {key} have {len(answers)} different sets of answers.")
    for run in report["null_runs"]:
        before = run["second_quarter_mb"]
        after = run["last_quarter_mb"]
        if after > before * (1 + _GROWTH) + _GROWTH_MB:
            raise click.ClickException(
                f"with {run['workers']} workers of Ray, memory grew from {before:.0f} MB in the "
                f"second quarter of the run to {after:.0f} MB in the last."
            )


def _memory(sample: UseSample) -> dict[str, float]:
    return {"rows": sample.rows, **sample.megabytes, "total": sample.total}


def _mean_memory(samples: Sequence[UseSample], rows: int, first: float, last: float) -> float:
    """Megabytes of all processes, on average over a part of the rows."""
    chosen = [sample.total for sample in samples if first * rows <= sample.rows <= last * rows]
    return mean(chosen or [samples[-1].total])


def _page(report: dict[str, Any]) -> str:
    load = f"{report['load_average_before']:.1f} to {report['load_average_after']:.1f}"
    tables = _tables(report)
    return (
        "# Runs over many puzzles\n\n"
        f"`python benchmarks/batch.py`: {report['bundle']}, {report['slots']} slots, one thread "
        f"for each engine. {report['machine']}; load average {load}.\n\n"
        f"{report['puzzles']:,} puzzles:\n\n{tables['batch speed']}\n\n"
        f"{report['null_puzzles']:,} puzzles and an engine that computes nothing, microseconds a "
        f"puzzle:\n\n{tables['batch overhead']}\n\n"
        f"The memory of those runs in MB:\n\n{tables['batch memory']}\n"
    )


def _tables(report: dict[str, Any]) -> dict[str, str]:
    return {
        "batch speed": _speed_table(report),
        "batch overhead": _overhead_table(report),
        "batch memory": _memory_table(report),
    }


def _name(workers: int, processes: int = 1) -> str:
    if processes > 1:
        return f"{processes} processes without Ray"
    if not workers:
        return "one process"
    return f"Ray, {workers} worker{'s' * (workers > 1)}"


def _speed_table(report: dict[str, Any]) -> str:
    by_repeat = {(run["repeat"], run["workers"], run["processes"]): run for run in report["runs"]}
    repeats = sorted({run["repeat"] for run in report["runs"]})
    lines = [
        "| | start, s | puzzles a second | times one process | slowest to fastest | end, s "
        "| slots that held a puzzle |",
        "|---|---|---|---|---|---|---|",
    ]
    for workers, processes in sorted({key[1:] for key in by_repeat}):
        runs = [by_repeat[repeat, workers, processes] for repeat in repeats]
        ratios = []
        for repeat, run in zip(repeats, runs, strict=True):
            ratios.append(by_repeat[repeat, 0, 1]["solve_seconds"] / run["solve_seconds"])
        rate = report["puzzles"] / median(run["solve_seconds"] for run in runs)
        cells = [
            _name(workers, processes),
            f"{median(run['start_seconds'] for run in runs):.1f}",
            f"{rate:,.0f}",
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{median(run['stop_seconds'] for run in runs):.1f}",
            f"{100 * median(run['occupancy'] for run in runs):.1f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _overhead_table(report: dict[str, Any]) -> str:
    lines = [
        "| | by the clock | least to most | CPU time of all processes | least to most |",
        "|---|---|---|---|---|",
    ]
    for run in report["null_runs"]:
        cells = [_name(run["workers"])]
        for costs in (run["clock_microseconds"], run["cpu_microseconds"]):
            cells += [f"{median(costs):.0f}", f"{min(costs):.0f} to {max(costs):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _memory_table(report: dict[str, Any]) -> str:
    lines = [
        "| | puzzles solved | driver | workers that solve | that read and write "
        "| Ray's services | shared blocks | all |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in report["null_runs"]:
        columns = [*KINDS, "total"]
        for memory in run["memory"]:
            cells = [_name(run["workers"]), f"{memory['rows']:,}"]
            cells += [f"{memory[kind]:,.0f}" for kind in columns]
            lines.append(f"| {' | '.join(cells)} |")
        cells = [_name(run["workers"]), "most at any moment"]
        cells += [f"{run['peak'][kind]:,.0f}" for kind in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
