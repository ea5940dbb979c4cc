"""``trm-edge config``."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.cli.command import Command
from trm_edge.errors import MissingExtraError, OutputExistsError
from trm_edge.files import write_text

ARCHS = (
    "sudoku-mlp",
    "sudoku-attention",
    "maze",
    "arc-1",
    "arc-2",
    "trm-singlez",
    "trm-hier6",
    "transformer",
    "hrm-sudoku",
    "hrm-sudoku-full",
    "hrm-sudoku-small",
    "hrm-maze",
    "hrm-arc",
    "hrm",
)


@click.command("config", cls=Command)
@click.option(
    "--arch",
    type=click.Choice(ARCHS),
    metavar="NAME",
    help="Fill in the settings of a published model; by default they are left open. Names: "
    f"{', '.join(ARCHS)}.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    show_default="standard output",
    help="File to write, such as all_config.yaml beside the weights.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(arch: str | None, output: Path | None, force: bool) -> None:
    """Write a commented configuration for a checkpoint without one.

    The weights do not show heads, cycles and position encoding, so trm-edge export needs the
    run's all_config.yaml. Where it is lost, fill in this one.

    \b
    trm-edge config --arch sudoku-mlp -o runs/sudoku/all_config.yaml
    trm-edge config --arch hrm-maze -o runs/maze/all_config.yaml
    trm-edge config > all_config.yaml
    """
    try:
        from trm_edge.export.config_template import config_template
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "yaml", "export", "A configuration") from error

    text = config_template(arch)
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists() and not force:
        raise OutputExistsError(f"{output} exists. Choose another file, or pass --force.")
    write_text(output, text)
    click.echo(f"Wrote {output}")
