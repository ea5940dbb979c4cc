"""``trm-edge parity``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.cli.console import table_console
from trm_edge.cli.floor_output import NOT_RECORDED, floor_table
from trm_edge.cli.options import (
    bundle_argument,
    json_option,
    target_option,
    threads_option,
)
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ModeParity
from trm_edge.evaluation.parity_record import FORMAT, ParityResult, parity_result
from trm_edge.progress import progress_bars

_NOT_JUDGED = (
    "accuracy is not judged: the bundle holds no puzzles with known answers. Export again with "
    "--held-out FILE or --dataset FOLDER."
)
_PIPE_WIDTH = 140  # columns of the widest table: 16 steps


@click.command("parity")
@bundle_argument
@target_option
@threads_option
@json_option
def command(bundle: Path, target: str | None, threads: int, as_json: bool) -> None:
    """Compare a bundle's answers with its own float32 answers.

    The target solves the held-out puzzles again, and each answer is compared with what the same
    checkpoint answered in float32. Needs neither torch nor the checkpoint. Beside it stands the
    numerics floor: what float arithmetic alone changes. The exit code is 1 if the bundle exceeds
    its own accuracy limits beyond chance; they are judged on known answers only. A limit that the
    puzzles cannot decide is INCONCLUSIVE, which is printed and leaves the exit code at 0.

    \b
    trm-edge parity my-bundle
    trm-edge parity my-bundle --json | jq .halting.agreement
    """
    opened = Bundle.open(bundle)
    name, _ = opened.target(target)
    with progress_bars() as track:
        run = solve_held_out(opened, name, threads=threads, track=track)
    result = parity_result(str(bundle), run, opened.manifest.limits)
    if as_json:
        click.echo(records.encode(result, FORMAT), nl=False)
    else:
        _print(result)
    if result.broken:
        sys.exit(1)


def _print(result: ParityResult) -> None:
    console = table_console(_PIPE_WIDTH)
    title = f"{result.bundle}: {result.target}, {result.precision}, {result.engine}"
    puzzles = f"{result.puzzles} held-out puzzles"
    if result.random_tokens:
        puzzles = f"Agreement on random tokens: {result.puzzles} puzzles"
    elif not result.labelled:
        puzzles = f"Agreement with float32: {puzzles} without known answers"
    console.print(f"{title}\n{puzzles}", soft_wrap=True, markup=False)
    console.print(_accuracy(result) if result.labelled else _agreement(result))
    _print_halting(result, console)
    if result.floor is None:
        console.print(NOT_RECORDED, soft_wrap=True)
    else:
        console.print(floor_table(result.floor))
    if not result.labelled:
        click.echo(_NOT_JUDGED)
        return
    _print_verdicts(result)


def _print_verdicts(result: ParityResult) -> None:
    """Print the limits that are broken, then those that the puzzles cannot decide."""
    undecided = [limit for limit in result.verdicts if limit.verdict == "inconclusive"]
    if result.broken:
        click.echo("outside its limits:")
        for limit in result.broken:
            click.echo(f"  {limit.message}")
    elif undecided:
        click.echo("within its limits, as far as these puzzles can tell")
    else:
        click.echo("within its limits")
    if undecided:
        click.echo("INCONCLUSIVE:")
        for judged in undecided:
            click.echo(f"  {judged.message}")


def _print_halting(result: ParityResult, console: Console) -> None:
    halting = result.halting
    console.print(
        f"Halting at the same step: {100 * halting.agreement:.1f} %   "
        f"mean steps: {halting.steps_reference:.2f} in float32, "
        f"{halting.steps_candidate:.2f} here",
        soft_wrap=True,
    )
    console.print(_steps(result))
    console.print(
        f"Calibration error of the halting head: {100 * halting.calibration_reference:.1f} % in "
        f"float32, {100 * halting.calibration_candidate:.1f} % here",
        soft_wrap=True,
    )


def _accuracy(result: ParityResult) -> Table:
    """A table of exact match and flips, one line per halting mode."""
    table = Table()
    table.add_column("halting", overflow="fold")
    for column in ("float32", "this bundle", "points lost", "lost", "gained", "p", "cells"):
        table.add_column(column, justify="right", overflow="fold")
    for mode in (result.fixed, result.adaptive):
        table.add_row(mode.mode, *_figures(mode))
    return table


def _agreement(result: ParityResult) -> Table:
    """A table of equal answers, one line per halting mode; says nothing about right ones."""
    table = Table()
    table.add_column("halting", overflow="fold")
    for column in ("same answer", "same cells"):
        table.add_column(column, justify="right", overflow="fold")
    for mode in (result.fixed, result.adaptive):
        same = f"{100 * mode.same_answer:.1f} %"
        table.add_row(mode.mode, same, f"{100 * mode.cells_candidate:.2f} %")
    return table


def _figures(mode: ModeParity) -> list[str]:
    low, high = mode.interval_drop
    return [
        _percent(mode.exact_reference, mode.interval_reference),
        _percent(mode.exact_candidate, mode.interval_candidate),
        f"{mode.drop:+.2f} ({low:+.2f} to {high:+.2f})",
        str(mode.lost),
        str(mode.gained),
        f"{mode.p_value:.2f}",
        f"{100 * mode.cells_candidate:.2f} %",
    ]


def _steps(result: ParityResult) -> Table:
    """A table of halting steps and carry cosines, one column per step."""
    halting = result.halting
    cosines = [f"{cosine:.3f}".removeprefix("0") for cosine in result.carry.by_step]
    table = Table()
    table.add_column("step", overflow="fold")
    for step in range(1, len(cosines) + 1):
        table.add_column(str(step), justify="right", overflow="fold")
    table.add_row("stop, float32", *map(str, halting.histogram_reference))
    table.add_row("stop, here", *map(str, halting.histogram_candidate))
    table.add_row("carry cosine", *cosines)
    return table


def _percent(share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
