"""``trm-edge parity``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trm_edge.bundle import Bundle
from trm_edge.cli.options import (
    bundle_argument,
    json_option,
    target_option,
    threads_option,
)
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ParityReport
from trm_edge.progress import progress_bars


@click.command("parity")
@bundle_argument
@target_option
@threads_option
@json_option
def command(bundle: Path, target: str | None, threads: int, as_json: bool) -> None:
    """Hold a bundle to its own float32 answers.

    The held-out puzzles are solved again by the bundle's engine and compared one by one with what
    the same checkpoint answered in float32. Needs neither torch nor the checkpoint. The exit code
    is 1 where the bundle's own limits are broken.

    \b
    trm-edge parity my-bundle
    trm-edge parity my-bundle --json | jq .halting.agreement
    """
    opened = Bundle.open(bundle)
    name, record = opened.target(target)
    with progress_bars() as track:
        run = solve_held_out(opened, name, threads=threads, track=track)
    report = run.report()
    limits = opened.manifest.limits
    broken = report.broken(limits)
    if as_json:
        content = {
            "bundle": str(bundle),
            "target": name,
            "precision": record.precision,
            "engine": run.engine,
            **report.to_dict(),
            "limits": {
                "max_drop": limits.max_drop,
                "min_halting_agreement": limits.min_halting_agreement,
            },
            "broken": broken,
        }
        click.echo(json.dumps(content, indent=2))
    else:
        _print(report, f"{bundle}: {name}, {record.precision}, {run.engine}")
        click.echo("within its limits" if not broken else "outside its limits:")
        for problem in broken:
            click.echo(f"  {problem}")
    if broken:
        sys.exit(1)


def _print(report: ParityReport, title: str) -> None:
    console = Console(highlight=False)
    table = Table(title=f"{title}\n{report.puzzles} held-out puzzles", title_justify="left")
    for column in ("halting", "float32", "this bundle", "points lost", "lost", "gained", "p"):
        table.add_column(column, justify="left" if column == "halting" else "right")
    table.add_column("cells", justify="right")
    for mode in report.modes:
        low, high = mode.interval_drop
        table.add_row(
            mode.mode,
            _percent(mode.exact_reference, mode.interval_reference),
            _percent(mode.exact_candidate, mode.interval_candidate),
            f"{mode.drop:+.2f} ({low:+.2f} to {high:+.2f})",
            str(mode.lost),
            str(mode.gained),
            f"{mode.p_value:.2f}",
            f"{100 * mode.cells_candidate:.2f} %",
        )
    console.print(table)
    if not report.labelled:
        console.print("No answers are known for these puzzles: float32's own count as right.")
    halting = report.halting
    console.print(
        f"Halting at the same step: {100 * halting.agreement:.1f} %   "
        f"steps on average: {halting.steps_reference:.2f} in float32, "
        f"{halting.steps_candidate:.2f} here"
    )
    console.print(_by_step(report))
    console.print(
        f"Calibration error of the halting head: {100 * halting.calibration_reference:.1f} % in "
        f"float32, {100 * halting.calibration_candidate:.1f} % here"
    )


def _by_step(report: ParityReport) -> Table:
    """Where they stop and how alike the carries are, for every step."""
    halting, cosines = report.halting, report.carry.by_step
    table = Table()
    table.add_column("step")
    for step in range(1, len(cosines) + 1):
        table.add_column(str(step), justify="right")
    table.add_row("stop, float32", *map(str, halting.histogram_reference))
    table.add_row("stop, here", *map(str, halting.histogram_candidate))
    table.add_row("carry cosine", *(f"{cosine:.3f}".removeprefix("0") for cosine in cosines))
    return table


def _percent(share: float, interval: tuple[float, float]) -> str:
    return f"{100 * share:.1f} % ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
