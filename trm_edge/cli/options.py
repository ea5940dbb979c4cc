"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.cli.completion import complete_bundle, complete_bundle_target

bundle_argument = click.argument(
    "bundle", type=click.Path(path_type=Path), shell_complete=complete_bundle
)
bundles_argument = click.argument(
    "bundles",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=complete_bundle,
)
target_option = click.option(
    "--target",
    metavar="NAME",
    shell_complete=complete_bundle_target,
    show_default="cpu, or the only one",
    help="Target of the bundle.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    show_default="every core",
    help="CPU threads.",
)
wide_option = click.option(
    "--wide", is_flag=True, help="Print every column, a line a row, however long the lines are."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
json_output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the JSON to a file.",
)
