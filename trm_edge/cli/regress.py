"""``trm-edge regress``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

import click

from trm_edge import records
from trm_edge.bundle import Bundle
from trm_edge.cli import regress_output
from trm_edge.cli.console import echo
from trm_edge.cli.options import bundle_argument, json_option, json_output_option
from trm_edge.errors import RecordError
from trm_edge.evaluation.machine import Machine
from trm_edge.files import check_writable, write_text
from trm_edge.progress import progress_bars
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import Check, regressed
from trm_edge.regression.result import FORMAT, RegressionResult
from trm_edge.regression.run import new_baseline, regress
from trm_edge.regression.speed import REPEATS


@click.command("regress")
@bundle_argument
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Figures to compare with; keep the file in your repository.",
)
@click.option("--update", is_flag=True, help="Write the baseline from this bundle.")
@click.option(
    "--target",
    metavar="NAME",
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
@json_option
@json_output_option
def command(
    bundle: Path,
    baseline: Path,
    update: bool,
    target: str | None,
    config: Path | None,
    speed: bool,
    repeats: int,
    junit: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Fail if a bundle became slower or less accurate.

    Solves the held-out puzzles again and compares them one by one with the baseline's answers.
    Times a step beside reference workloads that no change of the bundle can slow down and compares
    the ratio, so other load on the machine does not matter; a slowdown counts only if it shows in
    every measurement. The exit code is 1 if anything regressed by more than its budget.

    \b
    trm-edge regress my-bundle --baseline baseline.json --update
    trm-edge regress my-bundle --baseline baseline.json
    trm-edge regress my-bundle --baseline baseline.json --json | jq .verdict
    """
    for path in (junit, output):
        if path is not None:
            check_writable(path)
    if update:
        check_writable(baseline)
    opened = Bundle.open(bundle)
    budgets = Budgets.read(config)
    older = _read(baseline, update=update)
    name = _target(opened, target, older, baseline)
    with progress_bars() as track:
        if older is None or update:
            written = new_baseline(opened, name, older, speed=speed, repeats=repeats, track=track)
            written.write(baseline)
            echo(_summary(baseline, written))
            return
        checks = regress(opened, older, budgets, speed=speed, repeats=repeats, track=track)
    result = _result(opened, name, baseline, checks)
    text = records.encode(result, FORMAT)
    if output is not None:
        write_text(output, text)
    title = f"{bundle}: {name}, {result.precision}"
    if as_json:
        click.echo(text, nl=False)
    else:
        regress_output.print_table(checks, f"{title}, compared with {baseline}")
        click.echo(regress_output.summary(checks))
    if junit is not None:
        regress_output.write_junit(junit, checks, f"trm-edge.{bundle.name}.{name}")
    _tell_github(checks, title, to_stderr=as_json)
    if result.verdict == "regressed":
        sys.exit(1)


def _read(path: Path, *, update: bool) -> Measurement | None:
    """Read the baseline; None for one that is about to be replaced and cannot be read."""
    try:
        return Measurement.read(path)
    except RecordError:
        if update:
            return None
        raise


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


def _result(bundle: Bundle, target: str, baseline: Path, checks: list[Check]) -> RegressionResult:
    _, record = bundle.target(target)
    verdict: Literal["ok", "regressed"] = "regressed" if regressed(checks) else "ok"
    return RegressionResult(
        bundle=str(bundle.path),
        target=target,
        precision=record.precision,
        engine=bundle.backend(target).describe(),
        baseline=str(baseline),
        machine=Machine.current(),
        verdict=verdict,
        checks=tuple(checks),
    )


def _summary(path: Path, baseline: Measurement) -> str:
    machines = len(baseline.speeds)
    kinds = "1 kind" if machines == 1 else f"{machines} kinds"
    return f"{path}: {len(baseline.answers)} puzzles, speed on {kinds} of machine"


def _tell_github(checks: list[Check], title: str, *, to_stderr: bool) -> None:
    """Write the job's summary and annotations where GitHub Actions runs this."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(regress_output.to_markdown(checks, title) + "\n")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for annotation in regress_output.github_annotations(checks, title):
            click.echo(annotation, err=to_stderr)
