"""Puzzles of a bundle that a visitor can try: easy and hard ones of those held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle import unknown_label

EACH = 3  # easy puzzles, and as many hard ones


@dataclass(frozen=True)
class Example:
    """A held-out puzzle.

    Args:
        label: its name on the page.
        tokens: ids (L,).
        steps: ACT steps after which the float32 model halts.
    """

    label: str
    tokens: tuple[int, ...]
    steps: int


def choose_examples(vectors: ParityVectors) -> tuple[Example, ...]:
    """Choose those that the float32 model solves in the fewest steps and in many.

    Puzzles that it does not solve are left out, as long as enough are left, and so are those that
    take more than half of the steps: what rounding changes grows with every step, so that another
    device may answer them differently.

    Args:
        vectors: the float32 model's answers to the held-out puzzles.

    Returns:
        The easy ones first. A puzzle is chosen once.
    """
    order = _by_steps(vectors)
    easy = order[:EACH]
    hard = [index for index in order[::-1][:EACH] if index not in easy]
    examples = []
    for kind, indices in (("Easy", easy), ("Hard", hard)):
        for number, index in enumerate(indices, 1):
            tokens = tuple(vectors.tokens[index].tolist())
            steps = int(vectors.halting_steps[index])
            examples.append(Example(f"{kind} {number}", tokens, steps))
    return tuple(examples)


def _by_steps(vectors: ParityVectors) -> list[int]:
    """Puzzles by halting step; only those that float32 solves early, if these are enough."""
    order: NDArray[np.int64] = np.argsort(vectors.halting_steps, kind="stable")
    is_known = vectors.labels != unknown_label(vectors.labels.dtype)
    wrong = ((vectors.answers(adaptive=True) != vectors.labels) & is_known).any(1)
    late = 2 * vectors.halting_steps > vectors.q_halt.shape[1]
    chosen: list[int] = order[~(wrong | late)[order]].tolist()
    if len(chosen) >= 2 * EACH:
        return chosen
    every: list[int] = order.tolist()
    return every
