"""``trm-edge bench``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.command import Command
from trm_edge.cli.completion import complete_bundle_target
from trm_edge.cli.console import stdout_console
from trm_edge.cli.floor_output import floor_line
from trm_edge.cli.options import (
    bundles_argument,
    json_option,
    json_output_option,
    threads_option,
    wide_option,
)
from trm_edge.cli.outputs import check_record_output
from trm_edge.cli.tables import Column, DataTable, print_terms, print_text
from trm_edge.evaluation.bench import ROUNDS, SLOTS, BenchRow, bench, mark_pareto, same_puzzles
from trm_edge.evaluation.bench_file import FORMAT, BenchRecord, write_bench
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.selection import select_targets
from trm_edge.progress import progress_bars

_OVERVIEW_TERMS = (
    "Exact match and steps: with adaptive halting, in brackets the 95 % interval. ms a step and "
    "times float32: of the fewest slots. Peak MB and start-up: of a process that solves one "
    "puzzle. A star: no other row beats this one in both accuracy and latency."
)
_DIFFERENT_PUZZLES = (
    "These rows solved different puzzles, which the letters name. Compare exact match, mean steps, "
    "puzzles/s and stars only where the letter is the same. Bundles of one checkpoint share their "
    "puzzles where they were exported with the same --held-out or --dataset."
)
_STEP_TERMS = "Times float32: how many times as fast as the float32 step beside it, 95 % interval."


@click.command("bench", cls=Command)
@bundles_argument
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_bundle_target,
    show_default="all",
    help="Target to measure; repeatable.",
)
@click.option(
    "--batch",
    "slots",
    multiple=True,
    type=click.IntRange(1),
    metavar="SLOTS",
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
    metavar="N",
    default=ROUNDS,
    show_default=True,
    help="Turns of every timed step; more give narrower intervals.",
)
@threads_option
@wide_option
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
    wide: bool,
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
        print_record(record, wide=wide)


def print_record(record: BenchRecord, *, wide: bool) -> None:
    """Print measurements side by side.

    Args:
        record: the measurements.
        wide: print a line for each row, however long.
    """
    console = stdout_console()
    print_text(console, f"{record.machine}\n")
    overview = _overview(record.rows)
    if wide:
        overview.print(console, wide=True)
    else:
        overview.print_transposed(console)
    print_terms(console, _OVERVIEW_TERMS)
    if len(_puzzle_sets(record.rows)) > 1:
        print_text(console, f"\n{_DIFFERENT_PUZZLES}")
    console.print()
    _step_times(record.rows).print(console, wide=wide)
    print_terms(console, _STEP_TERMS)
    console.print()
    for row in record.rows:
        if not row.parity.labelled:
            same = 100 * row.parity.adaptive.same_answer
            print_text(
                console,
                f"{_label(row)}: no answers are known, so exact match is not measured; "
                f"{same:.1f} % of the answers are those of float32",
            )
        print_text(console, f"{_label(row)}: {floor_line(row.parity.floor)}")
    for engine in dict.fromkeys(f"{row.target}: {row.engine}" for row in record.rows):
        print_text(console, engine)


def _overview(rows: Sequence[BenchRow]) -> DataTable:
    """A table of the rows' figures, one line per row."""
    columns = [
        Column("bundle, target", align="left"),
        Column("puzzles"),
        Column("precision"),
        Column("step graph, kB"),
        Column("exact match"),
        Column("mean steps"),
        Column("ms a step"),
        Column("times float32"),
        Column("puzzles/s"),
        Column("peak MB"),
        Column("start-up, s"),
        Column("J a puzzle"),
        Column("not beaten"),
    ]
    table = DataTable(columns)
    sets = _puzzle_sets(rows)
    for row in rows:
        puzzles = f"{row.parity.puzzles}"
        if len(sets) > 1:
            puzzles = f"{puzzles} (set {sets[row.parity.solved_puzzles]})"
        rivals = [rival for rival in rows if same_puzzles(rival, row)]
        star = "*" if row.pareto and len(rivals) > 1 else ""
        table.add(_label(row), puzzles, *_figures(row), star)
    return table


def _puzzle_sets(rows: Sequence[BenchRow]) -> dict[tuple[str, int], str]:
    """Letter the sets of puzzles that the rows solved: A, B, ..."""
    letters: dict[tuple[str, int], str] = {}
    for row in rows:
        letters.setdefault(row.parity.solved_puzzles, _letter(len(letters)))
    return letters


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def _figures(row: BenchRow) -> list[str]:
    step = row.latencies[0]
    times_float32 = ""
    if step.times_float32 is not None:
        times_float32 = f"{step.times_float32.median:.2f}"
    joules = ""
    if row.joules_per_puzzle is not None:
        joules = f"{row.joules_per_puzzle:.3g}"
    return [
        row.precision,
        f"{row.size_bytes / 1e3:.0f}",
        _exact(row),
        f"{row.steps:.2f}",
        f"{step.p50_ms:.2f}",
        times_float32,
        f"{row.puzzles_per_second:.0f}",
        f"{row.peak_memory_bytes / 1e6:.0f}",
        f"{row.startup_seconds:.2f}",
        joules,
    ]


def _exact(row: BenchRow) -> str:
    if not row.parity.labelled:
        return "not known"
    low, high = row.parity.adaptive.interval_candidate
    return f"{100 * row.exact:.1f} % ({100 * low:.0f} to {100 * high:.0f})"


def _step_times(rows: Sequence[BenchRow]) -> DataTable:
    """A table of the step's times, one line per row and number of slots."""
    columns = [
        Column("bundle, target", align="left"),
        Column("slots"),
        Column("ms p50"),
        Column("p90"),
        Column("p99"),
        Column("times float32"),
    ]
    table = DataTable(columns)
    for row in rows:
        for latency in row.latencies:
            times_float32 = ""
            if latency.times_float32 is not None:
                times_float32 = str(latency.times_float32)
            table.add(
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
