"""Teach a model that learns to recurse the rounds of a local rule, few first, then more.

A recursion that is asked for the whole answer from its first step on may never find the rule that
leads there: nothing it does in one step changes what counts. Here a step is held to what stands
there after so many rounds of the rule: one round in one step first, then more rounds in it, then
more steps. What a later round settles is not to be guessed before: a guess that is wrong stays in
the carry. Only the last step is held to the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Tokens (B, L) uint8 and rounds (B,) to what stands there after so many rounds (B, L) uint8.
Lesson = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]


@dataclass
class Curriculum:
    """The stage of a training run; a new one begins with the first."""

    lesson: Lesson
    max_steps: int  # of the model
    first: int = 3  # rounds that the first step is to learn
    then: int = 2  # that each step adds
    goal: float = 0.5  # share of puzzles with all of it right, to go on to the next stage
    window: int = 20  # training steps over which that is a mean
    stage: int = 0
    _recent: deque[float] = field(default_factory=deque)

    @property
    def depth(self) -> int:
        """Steps after which a puzzle is taken away."""
        return min(self.max_steps, max(1, self.stage - self.first + 2))

    def labels(
        self, tokens: NDArray[np.uint8], labels: NDArray[np.uint8], steps: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """What puzzles at those steps (B,), from 0, are held to, (B, L)."""
        first = min(self.first, self.stage + 1)
        lesson = self.lesson(tokens, first + steps * min(self.then, first))
        last = (steps == self.max_steps - 1)[:, None]
        return np.where(last, labels, lesson)

    def observe(self, exact: float) -> None:
        """Take note of the share of puzzles that were right in a training step."""
        self._recent.append(exact)
        if len(self._recent) < self.window:
            return
        if sum(self._recent) / self.window >= self.goal:
            self.stage += 1
            self._recent.clear()
        else:
            self._recent.popleft()

    def state(self) -> dict[str, Any]:
        return {"stage": self.stage, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        self.stage, self._recent = state["stage"], deque(state["recent"])
