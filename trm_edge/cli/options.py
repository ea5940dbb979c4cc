"""Arguments that several commands share, and what they come to."""

from __future__ import annotations

from pathlib import Path

import click

bundle_argument = click.argument("bundle", type=click.Path(path_type=Path))
target_option = click.option(
    "--target", metavar="NAME", help="Which of the bundle's targets; cpu by default."
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(0),
    default=0,
    show_default="every core",
    help="CPU threads.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
json_output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the JSON there, too.",
)
