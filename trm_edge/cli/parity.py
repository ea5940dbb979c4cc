"""``trm-edge parity``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.console import stdout_console
from trm_edge.cli.floor_output import NOT_RECORDED, floor_table, floor_title
from trm_edge.cli.options import (
    bundle_argument,
    json_option,
    target_option,
    threads_option,
)
from trm_edge.cli.tables import Column, DataTable, print_terms, print_text
from trm_edge.evaluation.coverage import Coverage
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ModeParity
from trm_edge.evaluation.parity_record import FORMAT, ParityResult, parity_result
from trm_edge.progress import progress_bars

_NOT_JUDGED = (
    "accuracy is not judged: the bundle holds no puzzles with known answers. Export again with "
    "--held-out FILE or --dataset FOLDER."
)
_ACCURACY_TERMS = (
    "In brackets: 95 % intervals. Points lost are negative where more puzzles are solved than in "
    "float32. p: the probability that chance alone flips that many answers. Cells are the single "
    "tokens of an answer."
)
_STEP_TERMS = (
    "Puzzles that stop at each step, and the cosine between the carries of float32 and of this "
    "target: 1 where they are equal."
)


_COVERAGE_TERMS = (
    "Answers with at least this confidence, as share of the puzzles, and how many of these are "
    "wrong, with the 95 % interval of their share: what trm-edge solve --answer-if gives."
)


@click.command(
    "parity",
    cls=Command,
    epilog=exit_codes("within its limits, or not judged", "a limit is broken, or failed"),
)
@bundle_argument
@target_option
@click.option(
    "--puzzles",
    type=click.IntRange(1),
    metavar="N",
    show_default="all",
    help="Number of held-out puzzles to solve.",
)
@threads_option
@json_option
def command(
    bundle: Path, target: str | None, puzzles: int | None, threads: int, as_json: bool
) -> None:
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
        run = solve_held_out(opened, name, puzzles=puzzles, threads=threads, track=track)
    result = parity_result(str(bundle), run, opened.manifest.limits)
    if as_json:
        click.echo(records.encode(result, FORMAT), nl=False)
    else:
        _print(result)
    if result.broken:
        sys.exit(1)


def _print(result: ParityResult) -> None:
    console = stdout_console()
    title = f"{result.bundle}: {result.target}, {result.precision}, {result.engine}"
    puzzles = f"{result.puzzles} held-out puzzles"
    if result.random_tokens:
        puzzles = f"Agreement on random tokens: {result.puzzles} puzzles"
    elif not result.labelled:
        puzzles = f"Agreement with float32: {puzzles} without known answers"
    print_text(console, f"{title}\n{puzzles}\n")
    if result.labelled:
        _accuracy(result).print_transposed(console)
        print_terms(console, _ACCURACY_TERMS)
    else:
        _agreement(result).print_transposed(console)
    _print_halting(result, console)
    if result.coverage is not None:
        print_text(console, "\nAnswers at each confidence, halting adaptively:\n")
        _coverage(result.coverage).print(console)
        print_terms(console, _COVERAGE_TERMS)
    if result.floor is None:
        print_text(console, NOT_RECORDED)
    else:
        print_text(console, floor_title(result.floor))
        floor_table(result.floor).print(console)
    if not result.labelled:
        print_text(console, _NOT_JUDGED)
        return
    _print_verdicts(result, console)


def _print_verdicts(result: ParityResult, console: Console) -> None:
    """Print the limits that are broken, then those that the puzzles cannot decide."""
    limits = (
        f"at most {result.limits.max_drop:g} points lost, at least "
        f"{100 * result.limits.min_halting_agreement:g} % stop at the same step"
    )
    undecided = [limit for limit in result.verdicts if limit.verdict == "inconclusive"]
    if result.broken:
        print_text(console, "outside its limits:")
        for limit in result.broken:
            print_text(console, f"- {limit.message}", indent=2)
    elif undecided:
        print_text(console, f"within its limits, as far as these puzzles can tell ({limits})")
    else:
        print_text(console, f"within its limits ({limits})")
    if undecided:
        print_text(console, "INCONCLUSIVE:")
        for judged in undecided:
            print_text(console, f"- {judged.message}", indent=2)


def _print_halting(result: ParityResult, console: Console) -> None:
    halting = result.halting
    print_text(
        console,
        f"\nHalting at the same step: {100 * halting.agreement:.1f} %. Mean steps: "
        f"{halting.steps_reference:.2f} in float32, {halting.steps_candidate:.2f} here.\n",
    )
    _steps(result).print(console)
    print_terms(console, _STEP_TERMS)
    if halting.calibration_reference is None or halting.calibration_candidate is None:
        return
    print_text(
        console,
        f"\nCalibration error of the halting head: "
        f"{100 * halting.calibration_reference:.1f} % in float32, "
        f"{100 * halting.calibration_candidate:.1f} % here.",
    )


def _accuracy(result: ParityResult) -> DataTable:
    """A table of exact match and flips, a row for each halting mode."""
    titles = (
        "exact match, float32",
        "exact match, here",
        "points lost",
        "puzzles lost",
        "puzzles gained",
        "p",
        "right cells, here",
    )
    table = DataTable([Column("halting"), *map(Column, titles)])
    for mode in (result.fixed, result.adaptive):
        table.add(mode.mode, *_figures(mode))
    return table


def _agreement(result: ParityResult) -> DataTable:
    """A table of equal answers, a row for each halting mode; says nothing about right ones."""
    table = DataTable([Column("halting"), Column("same answer"), Column("same cells")])
    for mode in (result.fixed, result.adaptive):
        same = f"{100 * mode.same_answer:.1f} %"
        table.add(mode.mode, same, f"{100 * mode.cells_candidate:.2f} %")
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


def _steps(result: ParityResult) -> DataTable:
    """A table of halting steps and carry cosines, a row for each step."""
    halting = result.halting
    table = DataTable(
        [
            Column("step"),
            Column("stop in float32"),
            Column("stop here"),
            Column("carry cosine"),
        ]
    )
    for step, cosine in enumerate(result.carry.by_step, start=1):
        table.add(
            str(step),
            str(halting.histogram_reference[step - 1]),
            str(halting.histogram_candidate[step - 1]),
            f"{cosine:.4f}",
        )
    return table


def _coverage(coverage: Coverage) -> DataTable:
    """A table of answers and wrong answers, a row for each threshold."""
    table = DataTable(
        [
            Column("confidence"),
            Column("answered in float32"),
            Column("answered here"),
            Column("wrong in float32"),
            Column("wrong here"),
        ]
    )
    for reference, candidate in zip(coverage.reference, coverage.candidate, strict=True):
        low, high = candidate.risk_interval
        table.add(
            f"{100 * candidate.min_confidence:g} %",
            f"{100 * reference.coverage:.1f} %",
            f"{100 * candidate.coverage:.1f} %",
            str(reference.wrong),
            f"{candidate.wrong} ({100 * low:.1f} to {100 * high:.1f} %)",
        )
    return table


def _percent(share: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
