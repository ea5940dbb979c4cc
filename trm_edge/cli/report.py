"""The command ``trm-edge report``."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.cli.command import Command
from trm_edge.cli.completion import complete_bundle_target
from trm_edge.cli.console import echo
from trm_edge.cli.options import bundles_argument, threads_option
from trm_edge.errors import OutputExistsError
from trm_edge.files import check_writable, write_text
from trm_edge.progress import progress_bars
from trm_edge.report.make import ReportRequest, make_report, require_plotly


@click.command("report", cls=Command)
@bundles_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="Write the page to this file.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_bundle_target,
    help="Report only this target; repeatable.  [default: all]",
)
@click.option(
    "--puzzles",
    type=click.IntRange(1),
    metavar="N",
    show_default="all",
    help="Solve only the first N held-out puzzles.",
)
@click.option(
    "--bench",
    "bench_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Use the results that trm-edge bench -o wrote instead of measuring again.",
)
@click.option(
    "--no-bench", is_flag=True, help="Time nothing; report accuracy and halting steps only."
)
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw this baseline of trm-edge regress over time, with its versions in git; repeatable.",
)
@threads_option
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
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
    """Write an HTML report: accuracy, latency, halting, carry error, and a puzzle step by step.

    The page needs no network and no other file. With --no-bench nothing is timed; results from
    --bench are still shown.

    \b
    trm-edge report my-bundle
    trm-edge report int8 fp32 -o report.html --baseline baselines/cpu.json
    trm-edge bench my-bundle -o bench.json && trm-edge report my-bundle --bench bench.json
    """
    if output.exists() and not force:
        raise OutputExistsError(
            f"{output} exists already. Pass --force to overwrite it, or choose another -o."
        )
    check_writable(output)
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
    echo(f"Wrote {output}, {len(page.encode()) / 1e6:.1f} MB")
