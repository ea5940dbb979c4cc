"""Bundled puzzles that no model was trained on."""

from __future__ import annotations

from pathlib import Path

import click

from trm_edge.bundle import Bundle
from trm_edge.reference import reference_puzzles


def held_out_texts(folder: Path) -> list[str]:
    """Read the held-out puzzles of a bundled model.

    Args:
        folder: of the bundle.

    Raises:
        ClickException: there are none of its shape.
    """
    bundle = Bundle.open(folder)
    task = bundle.task()
    path = reference_puzzles(task.name, "held_out", bundle.config.seq_len)
    if path is None:
        raise click.ClickException(f"there are no bundled puzzles of the shape of {folder}.")
    return [task.text(puzzle.tokens) for puzzle in task.puzzles(path)]
