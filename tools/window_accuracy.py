"""Measure how an ARC model answers on corners of the canvas and on the whole; prints Markdown.

    python tools/window_accuracy.py trm_edge/reference/arc trm_edge/reference/puzzles/arc/test

A model that was trained in a small corner alone answers worse on the canvas, because every cell of
padding takes some attention. DATASET is a folder of arrays whose rows are the model's; each
question is answered in one step, in float32.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.grids import SIDE
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.tasks.dataset import DatasetRow, read_dataset
from trm_edge.training.window import window_model

BATCH = 25


@click.command(help=__doc__)
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True))
@click.argument("dataset", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--side",
    "sides",
    type=click.IntRange(1, SIDE),
    multiple=True,
    default=(11, 20, 30),
    show_default=True,
)
def main(checkpoint: Path, dataset: Path, sides: tuple[int, ...]) -> None:
    loaded = load_checkpoint(checkpoint)
    rows = list(read_dataset(dataset, CELLS, VOCAB_SIZE))
    click.echo("| cells | grids | right after one step |\n|---|---|---|")
    for side in sides:
        right = sum(right_answers(loaded, rows, side))
        click.echo(f"| {side} x {side} | {len(rows)} | {100 * right / len(rows):.1f} % |")


@torch.no_grad()
def right_answers(loaded: Checkpoint, rows: list[DatasetRow], side: int) -> list[bool]:
    """Tell which questions the model answers right in a corner of the canvas.

    Args:
        loaded: the model.
        rows: questions with their answers, all of them inside the corner.
        side: of the corner.
    """
    model = window_model(loaded.config, None if side == SIDE else side)
    model.load_state_dict(loaded.model.state_dict())
    right = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        tokens = np.stack([_corner(row.tokens, side) for row in batch])
        table = loaded.puzzle_embeddings
        if table is None:
            raise click.UsageError(f"{loaded.path} has no puzzle embeddings.")
        embedding = torch.from_numpy(table[[row.identifier for row in batch]])
        x = model.embed(torch.from_numpy(tokens), embedding)
        carry = model.advance(model.initial_carry(len(batch)), x, model.updates)
        answers = model.heads(carry).logits.argmax(-1).numpy()
        for answer, row in zip(answers, batch, strict=True):
            if row.labels is None:
                raise click.UsageError("the dataset has no answers.")
            right.append(np.array_equal(crop(_canvas(answer, side)), crop(row.labels)))
    return right


def _corner(tokens: NDArray[np.int32], side: int) -> NDArray[np.int32]:
    return tokens.reshape(SIDE, SIDE)[:side, :side].reshape(-1)


def _canvas(corner: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    canvas = np.zeros((SIDE, SIDE), corner.dtype)
    canvas[:side, :side] = corner.reshape(side, side)
    return canvas.reshape(-1)


if __name__ == "__main__":
    main()
