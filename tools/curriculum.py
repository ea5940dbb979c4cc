"""Ask little of a model that learns to recurse, then more.

A recursion that is asked for the whole answer from its first step on may never find the local rule
that leads there: nothing it does in one step changes what counts. Here only what so many rounds of
reasoning can tell counts: one round in one step first, then more rounds in it, then more steps.
Only the last step answers for everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Tokens and answers (B, L) uint8 and rounds (B,) to the answers that so many rounds tell (B, L), 0
# where they do not.
Known = Callable[
    [NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]],
    NDArray[np.uint8],
]


@dataclass
class Curriculum:
    """The stage of a training run; a new one begins with the first."""

    known: Known
    max_steps: int  # of the model
    first: int = 3  # rounds that the first step is to learn
    then: int = 2  # that each step adds; fewer, so that one that fell behind can catch up
    goal: float = 0.3  # share of puzzles with all that counts right, to go on to the next stage
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
        """What counts, (B, L), for puzzles at those steps (B,), from 0."""
        first = min(self.first, self.stage + 1)
        known = self.known(tokens, labels, first + steps * min(self.then, first))
        last = (steps == self.max_steps - 1)[:, None]
        return np.where(last, labels, known)

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
