"""A backend that counts and times the steps of another one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend, HaltingLogits


class TimedBackend(Backend):
    """Another backend, with the time that its steps take and the slots of the whole batch.

    Args:
        inner: the backend that computes.
    """

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.config = inner.config
        self.name = inner.name
        self.reset_counts()

    def reset_counts(self) -> None:
        """Start counting again."""
        self.seconds = 0.0
        self.steps = 0
        self.batch_slots = 0  # of the whole batch, over all steps
        self.slots = 0

    def activate(self) -> None:
        """Load the inner backend."""
        self.inner.activate()

    def deactivate(self) -> None:
        """Free the inner backend."""
        self.inner.deactivate()

    def start(self, slots: int) -> None:
        """Start a batch.

        Args:
            slots: size of the batch.
        """
        self.slots = slots
        self.inner.start(slots)

    def step(self, tokens: Any, puzzle_embedding: Any, reset: Any) -> HaltingLogits:
        """Run one step and count it.

        Args:
            tokens: as in :meth:`Backend.step`.
            puzzle_embedding: as in :meth:`Backend.step`.
            reset: as in :meth:`Backend.step`.
        """
        start = time.perf_counter()
        logits = self.inner.step(tokens, puzzle_embedding, reset)
        self.seconds += time.perf_counter() - start
        self.steps += 1
        self.batch_slots += self.slots
        return logits

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the inner backend's logits.

        Args:
            slots: as in :meth:`Backend.logits`.
        """
        return self.inner.logits(slots)

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the inner backend's carry."""
        return self.inner.carry()

    def compact(self, slots: NDArray[np.int64]) -> None:
        """Shrink the inner backend's batch.

        Args:
            slots: as in :meth:`Backend.compact`.
        """
        self.inner.compact(slots)
