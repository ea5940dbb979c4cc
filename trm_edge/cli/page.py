"""The command ``trm-edge page``."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.command import Command
from trm_edge.cli.console import echo
from trm_edge.cli.options import bundle_argument
from trm_edge.page.arc_examples import AUGMENTATIONS, arc_examples
from trm_edge.page.content import graphs_of, task_of
from trm_edge.page.runtime import PACKAGE, VERSION, find_runtime
from trm_edge.page.site import SiteWriter, write_site
from trm_edge.tasks.arc import ArcAgiTask


@click.command("page", cls=Command)
@bundle_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="site",
    show_default=True,
    metavar="FOLDER",
    help="Write the site to this folder.",
)
@click.option("--title", metavar="TEXT", show_default="names the task", help="Heading of the page.")
@click.option(
    "--runtime",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    show_default=f"{PACKAGE} {VERSION}, by npm",
    help="Take ONNX Runtime Web from this folder or .tgz of its npm package, without a network.",
)
@click.option(
    "--tasks",
    type=click.Path(path_type=Path),
    metavar="TASKS",
    show_default="the bundled model's, or the held-out puzzles without demonstrations",
    help="ARC tasks to show: a JSON file with one or several, a folder of task files, or a dataset "
    "folder. The bundle needs a row for each.",
)
@click.option(
    "--augmentations",
    type=click.IntRange(min=0),
    metavar="N",
    default=AUGMENTATIONS,
    show_default=True,
    help="Rows of this many augmented variants of each ARC task, so that their answers can vote.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing site.")
def command(
    bundle: Path,
    output: Path,
    title: str | None,
    runtime: Path | None,
    tasks: Path | None,
    augmentations: int,
    force: bool,
) -> None:
    """Write a static site that solves puzzles in the browser, with the bundle's own step graph.

    The site shows every step of the model and its confidence, and needs no server but one for
    files. Visitors send nothing anywhere; after the first visit the page works offline.

    \b
    trm-edge page my-bundle -o site && python3 -m http.server -d site
    trm-edge page my-bundle --runtime onnxruntime-web-1.30.0.tgz -o site
    trm-edge page my-arc-bundle --tasks tasks.json -o site
    """
    opened = Bundle.open(bundle)
    SiteWriter.check_output(output, force=force)
    graphs_of(opened)
    task = task_of(opened)
    arc = None
    if tasks is not None or isinstance(task, ArcAgiTask):
        arc = arc_examples(opened, tasks, augmentations)
    size = write_site(opened, find_runtime(runtime), output, title=title, force=force, arc=arc)
    comparison = ""
    if size.float32:
        comparison = f", and {size.float32 / 1e6:.1f} MB to compare with float32"
    echo(f"Wrote {output}: a first visit fetches {size.first / 1e6:.1f} MB{comparison}.")
    echo(f"Look at it with: python3 -m http.server -d {output}")
