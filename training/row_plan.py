"""The puzzle-embedding rows of a model that is adapted to new tasks, and what they begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.task import ArcTask
from trm_edge.errors import CheckpointError, ConfigError
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.training.adapt_recipe import AdaptRecipe
from trm_edge.training.numbered_variants import (
    NumberedVariants,
    draw_numbered_variants,
    row_names,
)

_LARGEST_TABLE = 8 << 30  # bytes of the rows


@dataclass(frozen=True)
class RowPlan:
    """The rows of the adapted model's table.

    Args:
        tasks: variants of each task with the numbers of their rows.
        names: of all rows; row 0 is the blank one.
        table: (N, E) float32 rows to begin with.
        known: rows that the checkpoint has already.
    """

    tasks: tuple[NumberedVariants, ...]
    names: list[str]
    table: Tensor
    known: int


def plan_rows(checkpoint: Checkpoint, tasks: Sequence[ArcTask], recipe: AdaptRecipe) -> RowPlan:
    """Draw the variants of the tasks and give each a row.

    A variant that the checkpoint has a row for begins there, all others from the mean row.

    Args:
        checkpoint: to adapt.
        tasks: to adapt it to.
        recipe: settings.

    Raises:
        CheckpointError: the model is none of ARC-AGI.
        ConfigError: there is no task, or the table would be too large.
    """
    trained = _trained_table(checkpoint)
    if not tasks:
        raise ConfigError("there is no task to adapt to.")
    rows = len(tasks) * (recipe.augmentations + 1) + 1
    if rows * trained.shape[1] * trained.element_size() > _LARGEST_TABLE:
        raise ConfigError(
            f"{len(tasks)} tasks with {recipe.augmentations} augmentations need {rows:,} rows of "
            f"{trained.shape[1]} numbers, more than {_LARGEST_TABLE >> 30} GiB. Lower "
            "--augmentations, or adapt to fewer tasks at a time."
        )
    numbered = draw_numbered_variants(tasks, recipe.augmentations, recipe.seed)
    names = row_names(numbered)
    table = trained.mean(0).repeat(len(names), 1)
    table[0] = trained[0]
    known = 0
    if checkpoint.identifiers is not None:
        numbers_by_name = {name: number for number, name in enumerate(names)}
        for row, name in enumerate(checkpoint.identifiers):
            number = numbers_by_name.get(name)
            if number is not None and number > 0:
                table[number] = trained[row]
                known += 1
    return RowPlan(numbered, names, table, known)


def _trained_table(checkpoint: Checkpoint) -> Tensor:
    config = checkpoint.config
    if config.seq_len != CELLS or config.vocab_size != VOCAB_SIZE:
        raise CheckpointError(
            f"{checkpoint.path} is no model of ARC-AGI: it has {config.seq_len} cells and "
            f"{config.vocab_size} tokens, expected {CELLS} and {VOCAB_SIZE}."
        )
    if checkpoint.puzzle_embeddings is None:
        raise CheckpointError(
            f"{checkpoint.path} has no puzzle embeddings, so it cannot tell one task from another "
            "and cannot be adapted to new ones."
        )
    return torch.from_numpy(checkpoint.puzzle_embeddings)
