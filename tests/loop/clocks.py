"""A clock that only a backend's steps move, so that tests of deadlines hold under any load."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.loop.carrying import CarryingBackend
from trm_edge.backends.base import HaltingLogits


class FakeClock:
    """Stands for time.monotonic."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class SlowBackend(CarryingBackend):
    """Its steps take time on a fake clock.

    Args:
        clock: is moved.
        seconds: of a step.
    """

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = seconds

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        self.clock.seconds += self.seconds
        return super().step(tokens, puzzle_embedding, reset)
