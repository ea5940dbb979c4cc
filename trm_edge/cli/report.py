"""``trm-edge report``."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.cli.options import threads_option
from trm_edge.errors import BundleError, OutputExistsError
from trm_edge.files import write_text
from trm_edge.progress import progress_bars
from trm_edge.report.make import ReportRequest, make_report, require_plotly


@click.command("report")
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    metavar="FILE",
)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Repeatable. [all]")
@click.option(
    "--puzzles", type=click.IntRange(1), metavar="N", help="Of the held-out puzzles. [all]"
)
@click.option(
    "--bench",
    "bench_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What trm-edge bench -o wrote: what is in it is not measured again.",
)
@click.option("--no-bench", is_flag=True, help="Time nothing: accuracy and steps alone.")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Of trm-edge regress, drawn over time with the versions that git has; repeatable.",
)
@threads_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(
    bundles: tuple[Path, ...],
    output: Path,
    targets: tuple[str, ...],
    puzzles: int | None,
    bench_file: Path | None,
    no_bench: bool,
    baselines: tuple[Path, ...],
    threads: int,
    force: bool,
) -> None:
    """Write one HTML page about bundles: accuracy, latency, halting, carries, and a puzzle solved.

    The page needs no network and no other file. With --no-bench nothing is timed here; what --bench
    holds is still shown.

    \b
    trm-edge report my-bundle
    trm-edge report int8 fp32 -o report.html --baseline baselines/cpu.json
    trm-edge bench my-bundle -o bench.json && trm-edge report my-bundle --bench bench.json
    """
    _check_output(output, force=force)
    require_plotly()
    request = ReportRequest(
        bundles=bundles,
        targets=targets,
        puzzles=puzzles,
        bench=bench_file,
        timed=not no_bench,
        baselines=baselines,
        threads=threads,
    )
    with progress_bars() as track:
        page = make_report(request, track)
    write_text(output, page)
    click.echo(f"Wrote {output}, {len(page.encode()) / 1e6:.1f} MB")


def _check_output(output: Path, *, force: bool) -> None:
    """Find out before anything is measured."""
    if output.exists() and not force:
        raise OutputExistsError(
            f"{output} exists already. Pass --force to replace it, or another -o."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"cannot write {output}: {error.strerror}. Choose another -o.") from error
