"""What the loop asks of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.puzzle import Tokens, token_dtype


class HaltingLogits(NamedTuple):
    """The halting head's output for every slot after a step, each (B,) float32."""

    q_halt: NDArray[np.float32]
    q_continue: NDArray[np.float32]


class Backend(ABC):
    """Runs ACT steps over a batch of slots whose carries it keeps to itself.

    A backend is a context manager: what it holds on a device lives from ``__enter__`` to
    ``__exit__``. Between them, ``start`` fixes the number of slots and every ``step`` advances all
    of them; a slot whose ``reset`` is set begins a new puzzle, so no carry is ever written from
    outside. Subclass it to drive the loop with another engine; ``FakeBackend`` shows the least.
    """

    config: ModelConfig
    name: str
    _halting_logits: HaltingLogits

    def __enter__(self) -> Backend:
        self.activate()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.deactivate()

    def activate(self) -> None:  # noqa: B027 - optional: not every engine holds something
        """Load the engine.

        Raises:
            BackendError: it cannot be loaded or breaks the step contract.
        """

    def deactivate(self) -> None:  # noqa: B027
        """Free everything; calling it twice is harmless."""

    @abstractmethod
    def start(self, slots: int) -> None:
        """Make room for ``slots`` carries; the first step must reset every slot in use."""

    @abstractmethod
    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        """Advance all slots by one ACT step.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32, None where the model has no table.
            reset: (B,) bool, slots that start from the initial state.

        Raises:
            BackendError: the engine failed.
        """

    def launch_step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> None:
        """Begin a step, whose result :meth:`decision` waits for; arguments as in :meth:`step`."""
        self._halting_logits = self.step(tokens, puzzle_embedding, reset)

    def wait_step(self) -> HaltingLogits:
        """What the step that was launched has decided."""
        return self._halting_logits

    def slot_groups(self, slots: int) -> tuple[Backend, ...]:
        """Activated backends that share ``slots`` slots, this one first.

        With two, the loop decides about the slots of one while the other's step runs. They live
        as long as this one is active.
        """
        return (self,)

    @abstractmethod
    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (n, L, V) float32 of the last step for the slots asked for."""

    @abstractmethod
    def carry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """z_H and z_L after the last step, (B, P + L, D) each, as float32 copies or views."""

    @abstractmethod
    def compact(self, slots: NDArray[np.int64]) -> None:
        """Shrink to these slots, in this order; the others are given up."""

    def predictions(self, slots: NDArray[np.int64]) -> Tokens:
        """Most likely token of every cell after the last step.

        Args:
            slots: (n,) int64, the slots asked for.

        Returns:
            (n, L) in the type of :func:`~trm_edge.puzzle.token_dtype`.
        """
        best: Tokens = self.logits(slots).argmax(-1).astype(token_dtype(self.config.vocab_size))
        return best

    def describe(self) -> str:
        """What runs the step, for people: engine, version, provider in use."""
        return self.name
