"""``trm-edge bench``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from trm_edge.bundle import Bundle
from trm_edge.cli.options import json_option, json_output_option, threads_option
from trm_edge.errors import BundleError
from trm_edge.evaluation.bench import ROUNDS, BenchRow, bench, mark_pareto
from trm_edge.evaluation.machine import Machine
from trm_edge.files import write_text
from trm_edge.progress import progress_bars

FORMAT = "trm-edge.bench/1"
_WIDTH = 120  # characters, of what no terminal shows


@click.command("bench")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Repeatable. [all]")
@click.option(
    "--batch",
    "slots",
    multiple=True,
    type=click.IntRange(1),
    help="Slots of a timed step; repeatable. [1, 32]",
)
@click.option(
    "--puzzles", type=click.IntRange(1), metavar="N", help="Of the held-out puzzles. [all]"
)
@click.option("--rounds", type=click.IntRange(3), default=ROUNDS, show_default=True)
@threads_option
@json_option
@json_output_option
def command(
    bundles: tuple[Path, ...],
    targets: tuple[str, ...],
    slots: tuple[int, ...],
    puzzles: int | None,
    rounds: int,
    threads: int,
    as_json: bool,
    output: Path | None,
) -> None:
    """Measure bundles side by side: accuracy, latency, throughput, memory, energy.

    A step is timed beside the float32 step of the same checkpoint, in turns; the machine may be
    busy, the ratio holds. A star marks what no other bundle beats in both accuracy and latency.

    \b
    trm-edge bench my-bundle
    trm-edge bench int8 fp32 --batch 1 --batch 8 --batch 32
    trm-edge bench my-bundle --json | jq '.rows[].puzzles_per_second'
    """
    opened = [Bundle.open(path) for path in bundles]
    work = [
        (bundle, name)
        for bundle in opened
        for name in bundle.manifest.targets
        if not targets or name in targets
    ]
    unknown = [one for one in targets if all(one not in b.manifest.targets for b in opened)]
    if unknown:
        had = sorted({name for bundle in opened for name in bundle.manifest.targets})
        raise BundleError(f"no bundle holds a target {unknown[0]!r}; there are {', '.join(had)}.")
    with progress_bars() as track:
        rows = mark_pareto(
            [
                bench(
                    bundle,
                    name,
                    slots=sorted(set(slots)) or (1, 32),
                    puzzles=puzzles,
                    threads=threads,
                    rounds=rounds,
                    track=track,
                )
                for bundle, name in work
            ]
        )
    content = {
        "format": FORMAT,
        "machine": asdict(Machine.current()),
        "rows": [row.to_dict() for row in rows],
    }
    text = json.dumps(content, indent=2)
    if output:
        write_text(output, text + "\n")
    if as_json:
        click.echo(text)
    else:
        _print(rows)


def _print(rows: list[BenchRow]) -> None:
    # Where nobody's terminal sets a width, none of the table is cut.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    console.print(f"{Machine.current()}\n", soft_wrap=True)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("bundle, target")
    for column in (
        "precision",
        "kB",
        "exact, % (95 %)",
        "steps",
        "ms/step",
        "times float32",
        "puzzles/s",
        "MB",
        "s start",
        *(("J/puzzle",) if any(row.joules_per_puzzle is not None for row in rows) else ()),
        "",
    ):
        table.add_column(column, justify="right")
    for row in rows:
        low, high = row.parity.modes[1].interval_candidate
        step = row.latencies[0]
        cells = [
            _name(row),
            row.precision,
            f"{row.bytes / 1e3:.0f}",
            f"{100 * row.exact:.1f} ({100 * low:.0f}-{100 * high:.0f})",
            f"{row.steps:.2f}",
            f"{step.p50:.2f}",
            "" if step.times_float32 is None else f"{step.times_float32.median:.2f}",
            f"{row.puzzles_per_second:.0f}",
            f"{row.peak_memory / 1e6:.0f}",
            f"{row.startup:.2f}",
        ]
        if row.joules_per_puzzle is not None:
            cells.append(f"{row.joules_per_puzzle:.3g}")
        table.add_row(*cells, "*" if row.pareto and len(rows) > 1 else "")
    console.print(table)
    steps = Table(box=SIMPLE_HEAD)
    steps.add_column("bundle, target")
    for column in ("slots", "ms p50", "p90", "p99", "times float32 (95 %)"):
        steps.add_column(column, justify="right")
    for row in rows:
        for one in row.latencies:
            times = "" if one.times_float32 is None else str(one.times_float32)
            figures = (f"{value:.2f}" for value in (one.p50, one.p90, one.p99))
            steps.add_row(_name(row), str(one.slots), *figures, times)
    console.print(steps)
    for engine in dict.fromkeys(f"{row.target}: {row.engine}" for row in rows):
        console.print(engine, soft_wrap=True)


def _name(row: BenchRow) -> str:
    return f"{Path(row.bundle).name}, {row.target}"
