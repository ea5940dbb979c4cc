"""A curriculum that teaches a recursive model the rounds of a local rule, a few at first.

A recursion that is trained on the full answer from its first step may never find the rule that
leads there, because nothing it does in one step changes the loss. Here the label of a step is the
state after a number of rounds of the rule: at first one round in one step, then more rounds in it,
then more steps. A step must not guess what a later round decides, since a wrong guess stays in the
carry. Only the last step is trained on the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Maps tokens (B, L) uint8 and rounds (B,) to the state (B, L) uint8 after that many rounds.
Lesson = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.uint8]]


@dataclass
class Curriculum:
    """The curriculum of a training run and its current stage.

    Args:
        lesson: computes the state after a number of rounds.
        max_steps: maximum number of ACT (adaptive computation time) steps of the model.
        first_rounds: rounds that the first step learns in the end.
        later_rounds: rounds that each further step adds.
        goal: share of puzzles with an entirely correct state that leads to the next stage.
        window: number of training steps over which that share is averaged.
        stage: number of the stage, from 0.
    """

    lesson: Lesson
    max_steps: int
    first_rounds: int = 3
    later_rounds: int = 2
    goal: float = 0.5
    window: int = 20
    stage: int = 0
    _recent: deque[float] = field(default_factory=deque)

    @property
    def depth(self) -> int:
        """Number of steps after which a puzzle is replaced."""
        return min(self.max_steps, max(1, self.stage - self.first_rounds + 2))

    def labels(
        self, tokens: NDArray[np.uint8], labels: NDArray[np.uint8], steps: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Compute the labels of a training step.

        Args:
            tokens: (B, L) uint8.
            labels: the answers (B, L) uint8.
            steps: (B,) int64, number of the step that each puzzle is at, from 0.

        Returns:
            Labels (B, L) uint8.
        """
        first = min(self.first_rounds, self.stage + 1)
        lesson = self.lesson(tokens, first + steps * min(self.later_rounds, first))
        last = (steps == self.max_steps - 1)[:, None]
        return np.where(last, labels, lesson)

    def observe(self, exact: float) -> None:
        """Record the result of a training step, and go on to the next stage if the goal is met.

        Args:
            exact: share of puzzles with an entirely correct state.
        """
        self._recent.append(exact)
        if len(self._recent) < self.window:
            return
        if sum(self._recent) / self.window >= self.goal:
            self.stage += 1
            self._recent.clear()
        else:
            self._recent.popleft()

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""
        return {"stage": self.stage, "recent": list(self._recent)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where a saved curriculum was.

        Args:
            state: as :meth:`state` returned it.
        """
        self.stage = state["stage"]
        self._recent = deque(state["recent"])
