"""The interface between the halting loop and whatever computes an ACT step.

ACT stands for adaptive computation time: the model decides after every step whether it needs
another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.noise import window_at
from trm_edge.puzzle import Tokens, token_dtype
from trm_edge.step import NOISE_INPUTS, TensorSpec

NOT_LOADED = "the backend is not active: use it in a with statement, or call activate() first."
_FEEDS = ("tokens", "puzzle_embedding", "reset", *NOISE_INPUTS)


class HaltingLogits(NamedTuple):
    """The halting head's output after a step.

    Args:
        q_halt: (B,) float32, one logit per slot.
        q_continue: (B,) float32, one logit per slot.
    """

    q_halt: NDArray[np.float32]
    q_continue: NDArray[np.float32]


def carry_specs(inputs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Select the carries among the inputs of a step graph.

    A carry is every input that is not ``tokens``, ``puzzle_embedding``, ``reset`` or one of the
    inputs for noise; its successor is the output ``NAME_next``.

    Args:
        inputs: as :func:`~trm_edge.step.step_inputs` lists them.
    """
    return tuple(spec for spec in inputs if spec.name not in _FEEDS)


class Backend(ABC):
    """Runs ACT steps over a batch of slots and keeps their carries to itself.

    A backend is a context manager: what it holds on a device lives from ``__enter__`` to
    ``__exit__``. Between them, ``start`` sets the number of slots and every ``step`` advances all
    of them; a slot whose ``reset`` is set begins a new puzzle. Carries are written from outside
    only where a puzzle asks for a start or for noise. Subclass it to drive the loop with another
    engine; ``FakeBackend`` is the smallest example.
    """

    config: ModelConfig
    name: str
    # A step of a few slots takes about as long as a step of one.
    is_parallel: bool = False
    # compact() copies a slot that is named more than once, so that slots can be added at work.
    can_add_slots: bool = False
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

    def activate(self) -> None:  # noqa: B027 - optional: not every backend holds something
        """Load the engine; a second call does nothing.

        Raises:
            BackendError: it cannot be loaded or breaks the step contract.
        """

    def deactivate(self) -> None:  # noqa: B027
        """Free everything; a second call does nothing."""

    @abstractmethod
    def start(self, slots: int) -> None:
        """Prepare carries; the first step must reset every slot.

        Args:
            slots: B, the number of puzzles worked on at once.

        Raises:
            BackendError: this backend cannot run that many slots.
        """

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
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: the step failed.
        """

    def launch_step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> None:
        """Begin a step, whose result :meth:`wait_step` returns.

        Args:
            tokens: (B, L) int32.
            puzzle_embedding: (B, E) float32; None where the model has no table.
            reset: (B,) bool; True where a slot starts from the initial state.

        Raises:
            BackendError: the step failed.
        """
        self._halting_logits = self.step(tokens, puzzle_embedding, reset)

    def wait_step(self) -> HaltingLogits:
        """Wait for the launched step and return its halting logits.

        Raises:
            BackendError: the step failed.
        """
        return self._halting_logits

    def slot_groups(self, slots: int) -> tuple[Backend, ...]:
        """Split slots among activated backends that share one engine, this backend first.

        With two, the loop decides about the slots of one group while the other group's step runs.
        They are usable as long as this backend is active.

        Args:
            slots: total number of slots.
        """
        return (self,)

    @abstractmethod
    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the token logits of the last step.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L, V) float32.
        """

    @abstractmethod
    def carry(self) -> tuple[NDArray[np.float32], ...]:
        """Return the carries after the last step, in the contract's order (``z_H``, ``z_L``).

        Returns:
            (B, P + L, D) float32 each; copies or views.
        """

    @abstractmethod
    def compact(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots; the others are given up.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """

    def initial_states(self) -> dict[str, NDArray[np.float32]]:
        """Return the vectors that the states of a puzzle start from.

        Returns:
            (D,) float32 by the name of the state, such as ``z_H``.

        Raises:
            BackendError: this backend does not know them, or is not active.
        """
        raise BackendError(
            f"the backend {self.name} does not give its initial states, which tries from another "
            "start and with noise need."
        )

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        """Replace states of some slots; the next step must not reset these.

        Args:
            slots: (n,) int64, indices of slots.
            states: (n, P + L, D) float32 by the name of the state; the others stay as they are.

        Raises:
            BackendError: this backend cannot write its carry.
        """
        raise BackendError(
            f"the backend {self.name} cannot write its carry, which tries from another start and "
            "with noise need."
        )

    def noise_follows_reset(self, states: Collection[str]) -> bool:
        """Tell whether the next step adds the noise of :meth:`add_noise` by itself.

        Such a step may reset the slots, too: they begin with their initial state and noise.

        Args:
            states: names of the states that get noise.
        """
        return False

    def add_noise(
        self,
        slots: NDArray[np.int64],
        windows: Mapping[str, NDArray[np.int64]],
        sigma: NDArray[np.float32],
    ) -> None:
        """Add noise to states of some slots, before a step.

        The step must not reset these slots, unless :meth:`noise_follows_reset` says that it may.

        Args:
            slots: (n,) int64, indices of slots.
            windows: (n,) int64 by the name of the state, windows of the noise table.
            sigma: (n,) float32, standard deviations.

        Raises:
            BackendError: this backend cannot write its carry.
        """
        carry = dict(zip(self.config.recursion.states, self.carry(), strict=True))
        shape = (self.config.carry_len, self.config.hidden_size)
        states = {}
        for name, places in windows.items():
            values = carry[name][slots]
            for row, window in enumerate(places):
                values[row] += sigma[row] * window_at(int(window), shape)
            states[name] = values
        self.write_carry(slots, states)

    def predictions(self, slots: NDArray[np.int64]) -> Tokens:
        """Return the most likely token of every cell after the last step.

        Args:
            slots: (n,) int64, indices of slots.

        Returns:
            (n, L) in the type of :func:`~trm_edge.puzzle.token_dtype`.
        """
        best: Tokens = self.logits(slots).argmax(-1).astype(token_dtype(self.config.vocab_size))
        return best

    def describe(self) -> str:
        """Describe what runs the step, for people: engine, version, provider."""
        return self.name
