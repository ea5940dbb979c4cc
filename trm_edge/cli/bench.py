"""``trm-edge bench``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from trm_edge.bundle import Bundle
from trm_edge.cli.console import table_console
from trm_edge.cli.floor_output import floor_line
from trm_edge.cli.options import json_option, json_output_option, threads_option
from trm_edge.cli.outputs import check_record_output
from trm_edge.evaluation.bench import ROUNDS, SLOTS, BenchRow, bench, mark_pareto
from trm_edge.evaluation.bench_file import FORMAT, BenchRecord, write_bench
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.selection import select_targets
from trm_edge.progress import progress_bars

_PIPE_WIDTH = 160  # columns of the widest table


@click.command("bench")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    show_default="all",
    help="Target to measure; repeatable.",
)
@click.option(
    "--batch",
    "slots",
    multiple=True,
    type=click.IntRange(1),
    default=SLOTS,
    show_default=True,
    help="Number of slots of a timed step; repeatable.",
)
@click.option(
    "--puzzles",
    type=click.IntRange(1),
    metavar="N",
    show_default="all",
    help="Number of held-out puzzles to solve for accuracy.",
)
@click.option(
    "--rounds",
    type=click.IntRange(3),
    default=ROUNDS,
    show_default=True,
    help="Turns of every timed step; more give narrower intervals.",
)
@threads_option
@json_option
@json_output_option
@click.option("--force", is_flag=True, help="Overwrite a file that is not a benchmark, too.")
def command(
    bundles: tuple[Path, ...],
    targets: tuple[str, ...],
    slots: tuple[int, ...],
    puzzles: int | None,
    rounds: int,
    threads: int,
    as_json: bool,
    output: Path | None,
    force: bool,
) -> None:
    """Measure bundles side by side: accuracy, latency, throughput, memory, energy.

    Every step is timed in turns with the float32 step of the same checkpoint, so the ratio between
    them holds on a busy machine. A star marks each row that no other row beats in both accuracy
    and latency.

    \b
    trm-edge bench my-bundle
    trm-edge bench int8 fp32 --batch 1 --batch 8 --batch 32
    trm-edge bench my-bundle --json | jq '.rows[].puzzles_per_second'
    """
    if output is not None:
        check_record_output(output, FORMAT, "a benchmark of trm-edge bench", force=force)
    selection = select_targets([Bundle.open(path) for path in bundles], targets)
    rows = []
    with progress_bars() as track:
        for bundle, target in selection:
            row = bench(
                bundle,
                target,
                slots=sorted(set(slots)),
                puzzles=puzzles,
                threads=threads,
                rounds=rounds,
                track=track,
            )
            rows.append(row)
    record = BenchRecord(Machine.current(), tuple(mark_pareto(rows)))
    if output is not None:
        write_bench(output, record)
    if as_json:
        click.echo(record.to_json(), nl=False)
    else:
        _print(record)


def _print(record: BenchRecord) -> None:
    console = table_console(_PIPE_WIDTH)
    console.print(f"{record.machine}\n", soft_wrap=True)
    console.print(_overview(record.rows))
    console.print(_step_times(record.rows))
    for row in record.rows:
        line = f"{_label(row)}: {floor_line(row.parity.floor)}"
        console.print(line, soft_wrap=True, markup=False)
    for engine in dict.fromkeys(f"{row.target}: {row.engine}" for row in record.rows):
        console.print(engine, soft_wrap=True)


def _overview(rows: Sequence[BenchRow]) -> Table:
    """A table of the rows' figures, one line per row."""
    has_energy = any(row.joules_per_puzzle is not None for row in rows)
    columns = [
        "precision",
        "kB",
        "exact, % (95 %)",
        "steps",
        "ms/step",
        "times float32",
        "puzzles/s",
        "MB",
        "s start",
    ]
    if has_energy:
        columns.append("J/puzzle")
    columns.append("")
    table = Table(box=SIMPLE_HEAD)
    table.add_column("bundle, target", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        cells = _figures(row)
        if has_energy:
            cells.append(_joules(row))
        star = "*" if row.pareto and len(rows) > 1 else ""
        table.add_row(_label(row), *cells, star)
    return table


def _figures(row: BenchRow) -> list[str]:
    low, high = row.parity.adaptive.interval_candidate
    step = row.latencies[0]
    times_float32 = ""
    if step.times_float32 is not None:
        times_float32 = f"{step.times_float32.median:.2f}"
    return [
        row.precision,
        f"{row.size_bytes / 1e3:.0f}",
        f"{100 * row.exact:.1f} ({100 * low:.0f}-{100 * high:.0f})",
        f"{row.steps:.2f}",
        f"{step.p50_ms:.2f}",
        times_float32,
        f"{row.puzzles_per_second:.0f}",
        f"{row.peak_memory_bytes / 1e6:.0f}",
        f"{row.startup_seconds:.2f}",
    ]


def _joules(row: BenchRow) -> str:
    if row.joules_per_puzzle is None:
        return ""
    return f"{row.joules_per_puzzle:.3g}"


def _step_times(rows: Sequence[BenchRow]) -> Table:
    """A table of the step's times, one line per row and number of slots."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("bundle, target", overflow="fold")
    for column in ("slots", "ms p50", "p90", "p99", "times float32 (95 %)"):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        for latency in row.latencies:
            times_float32 = ""
            if latency.times_float32 is not None:
                times_float32 = str(latency.times_float32)
            table.add_row(
                _label(row),
                str(latency.slots),
                f"{latency.p50_ms:.2f}",
                f"{latency.p90_ms:.2f}",
                f"{latency.p99_ms:.2f}",
                times_float32,
            )
    return table


def _label(row: BenchRow) -> str:
    return f"{Path(row.bundle).name}, {row.target}"
