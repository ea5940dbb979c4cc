"""The variants of tasks and the rows of the puzzle-embedding table that they are numbered by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.task import ArcTask
from trm_edge.arc.variants import Variants, draw_variants
from trm_edge.identifiers import BLANK


@dataclass(frozen=True)
class NumberedVariants:
    """The variants of a task and the rows of their puzzle embeddings.

    Args:
        variants: the task and how each variant is augmented.
        rows: (variants,) integer rows of the table.
    """

    variants: Variants
    rows: NDArray[np.int64]


def draw_numbered_variants(
    tasks: Sequence[ArcTask], count: int, seed: int
) -> tuple[NumberedVariants, ...]:
    """Draw variants of tasks and number them one after another; row 0 stays the blank one.

    Args:
        tasks: in the order of the table.
        count: variants of each task beside the original, at most.
        seed: of the augmentations.
    """
    random = np.random.RandomState(seed)
    numbered = []
    first = 1
    for task in tasks:
        variants = draw_variants(task, count, random)
        rows = np.arange(first, first + len(variants))
        numbered.append(NumberedVariants(variants, rows))
        first += len(variants)
    return tuple(numbered)


def row_names(tasks: Sequence[NumberedVariants]) -> list[str]:
    """Name all rows of the table, the blank one first.

    Args:
        tasks: variants of each task, numbered in this order.
    """
    names = [BLANK]
    for task in tasks:
        names.extend(task.variants.names())
    return names
