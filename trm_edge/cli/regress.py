"""``trm-edge regress``."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.cli import regress_output as output
from trm_edge.cli.options import bundle_argument, json_option, target_option
from trm_edge.errors import BundleError
from trm_edge.evaluation.baseline import Measured
from trm_edge.evaluation.budgets import Budgets
from trm_edge.evaluation.measure import ROUNDS
from trm_edge.evaluation.regress import regressed
from trm_edge.evaluation.regress_run import broken_limits, measured_now, run_checks
from trm_edge.progress import progress_bars


@click.command("regress")
@bundle_argument
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="What the bundle was when it was good; keep it in your repository.",
)
@click.option("--update", is_flag=True, help="Write the baseline from this bundle.")
@target_option
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Budgets; by default trm-edge.toml here, if there is one.",
)
@click.option("--speed/--no-speed", default=True, help="Time steps and start processes, too.")
@click.option(
    "--rounds", type=click.IntRange(3), default=ROUNDS, show_default=True, help="Of the timing."
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="JUnit XML."
)
@json_option
def command(
    bundle: Path,
    baseline: Path,
    update: bool,
    target: str | None,
    config: Path | None,
    speed: bool,
    rounds: int,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Fail where a bundle became slower or wronger.

    The held-out puzzles are solved again and compared one by one with the baseline's answers. A
    step is timed beside yardsticks that no change of the bundle can slow down, and what is compared
    is the ratio, so another load on the machine changes nothing; a slowdown has to show again
    before it counts. The exit code is 1 where something regressed by more than its budget.

    \b
    trm-edge regress my-bundle --baseline baseline.json --update
    trm-edge regress my-bundle --baseline baseline.json
    trm-edge regress my-bundle --baseline baseline.json --json | jq .regressed
    """
    opened = Bundle.open(bundle)
    budgets = Budgets.read(config)
    name, record = opened.target(target)
    older = _read(baseline, name, update=update)
    say = partial(click.echo, err=True)
    title = f"{bundle}: {name}, {record.precision}"
    with progress_bars() as track:
        measured, vectors, engine = measured_now(
            opened, name, rounds=rounds, speed=speed, track=track
        )
        if update or older is None:
            _update(opened, measured, older, baseline, broken_limits(opened, vectors))
            return
        checks = run_checks(
            opened, measured, older, budgets, vectors, rounds=rounds, track=track, say=say
        )
    failed = regressed(checks)
    about = {"bundle": str(bundle), "target": name, "engine": engine, "baseline": str(baseline)}
    if as_json:
        click.echo(output.to_json(checks, about))
    else:
        output.print_table(checks, f"{title}, against {baseline}")
        click.echo(f"{len(failed)} regressed" if failed else "nothing regressed")
    if junit:
        output.write_junit(junit, checks, f"trm-edge.{bundle.name}.{name}")
    output.for_github(checks, title, dict(os.environ), partial(click.echo, err=as_json))
    if failed:
        sys.exit(1)


def _read(path: Path, target: str, *, update: bool) -> Measured | None:
    """The baseline; where it is about to be replaced, None if it cannot serve."""
    try:
        older = Measured.read(path)
        if older.target != target:
            raise BundleError(
                f"{path} was written for the target {older.target}, but this is {target}. Pass "
                f"--target {older.target}, or another baseline."
            )
    except BundleError:
        if update:
            return None
        raise
    return older


def _update(
    opened: Bundle, measured: Measured, older: Measured | None, path: Path, broken: list[str]
) -> None:
    if broken:
        raise BundleError(
            f"the baseline is not written: {opened.path} breaks its own limits against float32 "
            f"({'; '.join(broken)}). Export it again, or see what trm-edge parity says."
        )
    if older is not None:
        measured = measured.with_speeds_of(older)
    measured.write(path)
    machines = len(measured.speeds)
    click.echo(
        f"{path}: {len(measured.answers)} puzzles, speed on {machines} kind"
        f"{'' if machines == 1 else 's'} of machine"
    )
