"""Options of ``trm-edge export`` for the rows of the puzzle-embedding table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

ROW_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--identifiers",
        type=click.Path(path_type=Path),
        metavar="TASKS",
        show_default="all rows",
        help="Export only the puzzle embeddings of these tasks and their augmentations: a JSON "
        "file with tasks by name, a folder of task files, or a dataset folder.",
    ),
    click.option(
        "--int8-rows",
        is_flag=True,
        help="Store the puzzle embeddings as INT8 with a scale for each row: a quarter of the "
        "size.",
    ),
)
