"""``trm-edge regress``."""

from __future__ import annotations

import logging
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.cli import github_actions, regress_output
from trm_edge.cli.command import Command, exit_code_list
from trm_edge.cli.completion import complete_bundle_target
from trm_edge.cli.console import echo
from trm_edge.cli.floor_output import floor_line
from trm_edge.cli.options import bundle_argument, json_option, json_output_option, wide_option
from trm_edge.cli.outputs import check_junit_output, check_record_output
from trm_edge.errors import OutputExistsError, RecordError, TrmEdgeError
from trm_edge.evaluation.machine import Machine
from trm_edge.files import check_writable, write_text
from trm_edge.progress import progress_bars
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.baseline_record import KIND
from trm_edge.regression.blind_spot import blind_spot
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.result import FORMAT, RegressionResult, overall
from trm_edge.regression.run import Comparison, compare_with_baseline, new_baseline
from trm_edge.regression.speed import REPEATS
from trm_edge.regression.update import baseline_changes

logger = logging.getLogger(__name__)

RED = 1  # exit codes
NO_VERDICT = 3
INCONCLUSIVE = 4
_EPILOG = exit_code_list(
    {
        "0": "nothing regressed, or the baseline was written",
        "1": "something regressed, or an output cannot be written; with --update: the baseline "
        "was not written",
        "2": "misused: an unknown option, or options that do not go together",
        "3": "no verdict: a missing or damaged baseline, a damaged bundle, a failed engine",
        "4": "inconclusive: nothing regressed beyond chance, but noise or too few puzzles forbid "
        "a verdict on something",
        "130": "interrupted by Ctrl-C; 143: ended by SIGTERM",
    }
)


@dataclass(frozen=True)
class RegressOptions:
    """Arguments and options of the command, as click passes them.

    Args:
        bundle: folder of the bundle.
        baseline: its file.
        update: write the baseline instead of comparing with it.
        target: name of the target; None for the baseline's.
        config: file of budgets; None for the one in the current folder.
        speed: time steps and start processes, too.
        repeats: maximum number of timing repeats.
        junit: JUnit XML to write.
        wide: print a line for each check, however long.
        as_json: print JSON.
        output: JSON file to write.
        force: overwrite any file.
    """

    bundle: Path
    baseline: Path
    update: bool
    target: str | None
    config: Path | None
    speed: bool
    repeats: int
    junit: Path | None
    wide: bool
    as_json: bool
    output: Path | None
    force: bool


@click.command("regress", cls=Command, epilog=_EPILOG)
@bundle_argument
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Figures to compare with; keep the file in your repository.",
)
@click.option(
    "--update", is_flag=True, help="Write the baseline from this bundle, and print what changes."
)
@click.option(
    "--target",
    metavar="NAME",
    shell_complete=complete_bundle_target,
    help="Target to compare; the baseline's by default, cpu for a new baseline.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Budgets; by default trm-edge.toml in the current folder, if there is one.",
)
@click.option(
    "--speed/--no-speed",
    default=True,
    show_default=True,
    help="Also compare latency, memory and start-up time.",
)
@click.option(
    "--repeats",
    type=click.IntRange(3),
    metavar="N",
    default=REPEATS,
    show_default=True,
    help="Maximum number of timing repeats; a comparison stops early once its verdict is certain.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write JUnit XML to FILE.",
)
@wide_option
@json_option
@json_output_option
@click.option(
    "--force", is_flag=True, help="Overwrite output files even if trm-edge did not write them."
)
def command(**parameters: Any) -> None:
    """Fail if a bundle became slower or less accurate.

    Solves the held-out puzzles again and compares them one by one with the baseline's answers.
    Times a step beside reference workloads that no change of the bundle can slow down and compares
    the ratio, so other load on the machine does not matter; a slowdown counts only if it shows in
    every measurement. The exit code is 1 if anything regressed by more than its budget, and 4 if
    nothing did, but noise or too few puzzles leave a check INCONCLUSIVE; it then says how many
    puzzles would do.

    \b
    trm-edge regress my-bundle --baseline baseline.json --update
    trm-edge regress my-bundle --baseline baseline.json
    trm-edge regress my-bundle --baseline baseline.json --json | jq .verdict
    """
    options = RegressOptions(**parameters)
    _check_outputs(options)
    if options.update:
        try:
            _update(options)
        except TrmEdgeError as error:
            _tell_github_of_failure(options, "the baseline is not written", str(error))
            raise
        return
    try:
        result = _compare(options)
    except TrmEdgeError as error:
        message = str(error)
        echo(f"Error: {message}", err=True)
    except Exception as error:  # noqa: BLE001 - exit code 1 would be read as a verdict
        message = f"{type(error).__name__}: {error}"
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    else:
        if result.verdict == "regressed":
            sys.exit(RED)
        if result.verdict == "inconclusive":
            sys.exit(INCONCLUSIVE)
        return
    _tell_github_of_failure(options, "no verdict", message)
    sys.exit(NO_VERDICT)


def _compare(options: RegressOptions) -> RegressionResult:
    """Compare with the baseline and write every output."""
    opened = Bundle.open(options.bundle)
    budgets = Budgets.read(options.config)
    older = Measurement.read(options.baseline)
    name = _target(opened, options.target, older, options.baseline)
    _note_blind_spot(opened, budgets)
    with progress_bars() as track:
        comparison = compare_with_baseline(
            opened, older, budgets, speed=options.speed, repeats=options.repeats, track=track
        )
    checks = comparison.checks
    result = _result(opened, name, options.baseline, comparison)
    text = records.encode(result, FORMAT)
    if options.output is not None:
        write_text(options.output, text)
    title = f"{options.bundle}: {name}, {result.precision}"
    if options.as_json:
        click.echo(text, nl=False)
    else:
        heading = f"{title}, compared with {options.baseline}"
        regress_output.print_table(checks, heading, wide=options.wide)
        echo(floor_line(comparison.floor))
        click.echo(regress_output.summary(checks))
    if options.junit is not None:
        regress_output.write_junit(options.junit, checks, f"trm-edge.{options.bundle.name}.{name}")
    github_actions.add_to_job_summary(github_actions.to_markdown(checks, title))
    github_actions.annotate(
        github_actions.github_annotations(checks, title), to_stderr=options.as_json
    )
    return result


def _update(options: RegressOptions) -> None:
    """Write the baseline, and print what changes with it."""
    older = _replaced_baseline(options.baseline, force=options.force)
    opened = Bundle.open(options.bundle)
    budgets = Budgets.read(options.config)
    name = _target(opened, options.target, older, options.baseline)
    _note_blind_spot(opened, budgets)
    with progress_bars() as track:
        newer = new_baseline(
            opened, name, older, speed=options.speed, repeats=options.repeats, track=track
        )
    checks = baseline_changes(older, newer, budgets)
    newer.write(options.baseline)
    title = f"{options.baseline}: {name}, {newer.precision}, before and after this update"
    regress_output.print_table(checks, title, wide=options.wide)
    click.echo(regress_output.update_summary(checks))
    echo(_summary(options.baseline, newer))
    github_actions.add_to_job_summary(
        github_actions.to_markdown(checks, title, regress_output.update_summary(checks))
    )


def _check_outputs(options: RegressOptions) -> None:
    """Refuse outputs that cannot be written or would overwrite other files, before any work."""
    if options.junit is not None:
        check_junit_output(options.junit, force=options.force)
    if options.output is not None:
        noun = "a result of trm-edge regress"
        check_record_output(options.output, FORMAT, noun, force=options.force)
    if options.update:
        check_writable(options.baseline)


def _replaced_baseline(path: Path, *, force: bool) -> Measurement | None:
    """Read the baseline that is about to be replaced; None for none, and for another file."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        return Measurement.read(path)
    except RecordError as error:
        if force:
            return None
        reason = str(error).removesuffix(KIND.remedy).strip()
        raise OutputExistsError(
            f"{reason} It is not replaced. Pass --force to replace it, or another --baseline."
        ) from error


def _note_blind_spot(bundle: Bundle, budgets: Budgets) -> None:
    note = blind_spot(len(bundle.parity()), budgets.max_drop)
    if note is not None:
        logger.info("%s", note)


def _target(bundle: Bundle, target: str | None, older: Measurement | None, path: Path) -> str:
    """Choose the target, and refuse one that the baseline was not written for."""
    if older is None:
        name, _ = bundle.target(target)
        return name
    name, _ = bundle.target(target or older.target)
    if name != older.target:
        raise RecordError(
            f"{path} is a baseline of the target {older.target}, not of {name}. Pass --target "
            f"{older.target}, or another --baseline."
        )
    return name


def _result(
    bundle: Bundle, target: str, baseline: Path, comparison: Comparison
) -> RegressionResult:
    _, record = bundle.target(target)
    return RegressionResult(
        bundle=str(bundle.path),
        target=target,
        precision=record.precision,
        engine=bundle.backend(target).describe(),
        baseline=str(baseline),
        machine=Machine.current(),
        verdict=overall(comparison.checks),
        checks=comparison.checks,
        floor=comparison.floor,
    )


def _summary(path: Path, baseline: Measurement) -> str:
    machines = len(baseline.speeds)
    kinds = "1 kind" if machines == 1 else f"{machines} kinds"
    return f"{path}: {len(baseline.answers)} puzzles, speed on {kinds} of machine"


def _tell_github_of_failure(options: RegressOptions, problem: str, message: str) -> None:
    title = f"trm-edge regress {options.bundle}: {problem}"
    github_actions.add_to_job_summary(github_actions.failure_markdown(title, message))
    annotation = github_actions.error_annotation(title, message)
    github_actions.annotate([annotation], to_stderr=options.as_json)
