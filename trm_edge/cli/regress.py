"""``trm-edge regress``."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.cli import regress_output
from trm_edge.cli.options import bundle_argument, json_option, json_output_option
from trm_edge.errors import BundleError
from trm_edge.files import write_text
from trm_edge.progress import progress_bars
from trm_edge.regression.baseline import Measurement
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import regressed
from trm_edge.regression.run import new_baseline, regress
from trm_edge.regression.speed import REPEATS


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
@click.option("--target", metavar="NAME", help="By default the baseline's; of a new one, cpu.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Budgets; by default trm-edge.toml here, if there is one.",
)
@click.option("--speed/--no-speed", default=True, help="Time steps and start processes, too.")
@click.option(
    "--repeats",
    type=click.IntRange(3),
    default=REPEATS,
    show_default=True,
    help="Of the timing; a comparison ends earlier where it is sure.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="JUnit XML."
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
    """Fail where a bundle became slower or wronger.

    The held-out puzzles are solved again and compared one by one with the baseline's answers. A
    step is timed beside reference workloads that no change of the bundle can slow down, and the
    ratio is compared, so another load on the machine changes nothing; a slowdown has to show again
    before it counts. The exit code is 1 where something regressed by more than its budget.

    \b
    trm-edge regress my-bundle --baseline baseline.json --update
    trm-edge regress my-bundle --baseline baseline.json
    trm-edge regress my-bundle --baseline baseline.json --json | jq .regressed
    """
    opened = Bundle.open(bundle)
    budgets = Budgets.read(config)
    older = _read(baseline, update=update)
    name, record = opened.target(target or (None if older is None else older.target))
    if older is not None and older.target != name:
        raise BundleError(
            f"{baseline} was written for the target {older.target}, but {name} is asked for. Pass "
            f"--target {older.target}, or another baseline."
        )
    title = f"{bundle}: {name}, {record.precision}"
    with progress_bars() as track:
        if update or older is None:
            written = new_baseline(opened, name, older, speed=speed, repeats=repeats, track=track)
            written.write(baseline)
            click.echo(_told(baseline, written))
            return
        checks = regress(opened, older, budgets, speed=speed, repeats=repeats, track=track)
    failed = regressed(checks)
    engine = opened.backend(name).describe()
    about = {"bundle": str(bundle), "target": name, "engine": engine, "baseline": str(baseline)}
    content = regress_output.to_json(checks, about)
    if output:
        write_text(output, content + "\n")
    if as_json:
        click.echo(content)
    else:
        regress_output.print_table(checks, f"{title}, against {baseline}")
        click.echo(f"{len(failed)} regressed" if failed else "nothing regressed")
    if junit:
        regress_output.write_junit(junit, checks, f"trm-edge.{bundle.name}.{name}")
    regress_output.for_github(checks, title, dict(os.environ), partial(click.echo, err=as_json))
    if failed:
        sys.exit(1)


def _read(path: Path, *, update: bool) -> Measurement | None:
    """The baseline; where it is about to be replaced, None if it cannot serve."""
    try:
        return Measurement.read(path)
    except BundleError:
        if update:
            return None
        raise


def _told(path: Path, written: Measurement) -> str:
    machines = len(written.speeds)
    return (
        f"{path}: {len(written.answers)} puzzles, speed on {machines} kind"
        f"{'' if machines == 1 else 's'} of machine"
    )
