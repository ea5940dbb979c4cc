"""The answer to one puzzle, as the halting loop hands it out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.loop import halting
from trm_edge.puzzle import Tokens


@dataclass(frozen=True)
class Solution:
    """The answer to one puzzle, and the course of its steps.

    Args:
        index: position of the puzzle in the stream, from 0.
        answer: (L,) token ids predicted at the step it stopped at.
        steps: ACT steps taken.
        halted: True: the halting rule held; False: it ran out of steps.
        q_halt: (steps,) float32 logits of the halting head.
        q_continue: (steps,) float32 logits.
        trajectory: (steps, L) token ids predicted at every step, where the solver traces them.
        changes: (steps,) float32, how much the logits of the answer differ from those of the step
            before, as a mean of magnitudes; infinite at the first step. Where the solver measures
            them.
        timed_out: the deadline came before the halting rule held, or before all tries were made.
        tries: number of tries at the puzzle, among whose answers this one was chosen.
    """

    index: int
    answer: Tokens
    steps: int
    halted: bool
    q_halt: NDArray[np.float32]
    q_continue: NDArray[np.float32]
    trajectory: Tokens | None = None
    changes: NDArray[np.float32] | None = None
    timed_out: bool = False
    tries: int = 1

    @property
    def logit(self) -> float:
        """The last q_halt; -infinity for NaN, which a graph in float16 can produce."""
        logit = float(self.q_halt[-1])
        return -math.inf if math.isnan(logit) else logit

    @property
    def confidence(self) -> float:
        """The halting head's probability that the answer is right, sigmoid(q_halt)."""
        return float(halting.confidence(self.q_halt[-1]))


def in_order(solutions: Iterator[Solution]) -> Iterator[Solution]:
    """Hand solutions out by index, holding back those that come early.

    Args:
        solutions: in any order, their indices counting from 0. Those behind an index that never
            comes, because a feed gave its puzzle up, are handed out at the end.
    """
    waiting: dict[int, Solution] = {}
    due = 0
    for solution in solutions:
        waiting[solution.index] = solution
        while due in waiting:
            yield waiting.pop(due)
            due += 1
    for index in sorted(waiting):
        yield waiting[index]
