"""What the puzzles in the slots of a backend start from, and the noise that is added to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.noise import Noise
from trm_edge.puzzle import Puzzle


class Perturbation:
    """Writes starts and noise into the carries of slots, before each step.

    Args:
        backend: holds the carries.
        slots: number of slots.
    """

    def __init__(self, backend: Backend, slots: int) -> None:
        self._backend = backend
        self._shape = (backend.config.carry_len, backend.config.hidden_size)
        self._noise: list[Noise | None] = [None] * slots
        self._starting: list[Puzzle | None] = [None] * slots  # puzzles whose start is not written

    def load(self, slot: int, puzzle: Puzzle) -> None:
        """Put a puzzle into a slot.

        Args:
            slot: index of the slot.
            puzzle: the puzzle.
        """
        noise = puzzle.noise
        if noise is not None and noise.sigma == 0:
            noise = None
        self._noise[slot] = noise
        self._starting[slot] = None
        is_written = noise is not None and not self._backend.noise_follows_reset(noise.states)
        if is_written or puzzle.start:
            self._starting[slot] = puzzle

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep some of the slots alone.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        self._noise = [self._noise[slot] for slot in slots]
        self._starting = [self._starting[slot] for slot in slots]

    def apply(self, reset: NDArray[np.bool_], steps: NDArray[np.int32]) -> None:
        """Write what the next step starts from.

        Args:
            reset: (B,) bool, slots that the step resets; those whose start is written are not.
            steps: (B,) int32, steps that the puzzle in each slot has taken.

        Raises:
            BackendError: the backend cannot write its carry.
        """
        starting = [slot for slot, puzzle in enumerate(self._starting) if puzzle is not None]
        if starting:
            self._write_starts(starting)
            reset[starting] = False
        noisy: dict[tuple[str, ...], list[int]] = {}  # slots by the states that get noise
        for slot, noise in enumerate(self._noise):
            if noise is not None:
                noisy.setdefault(noise.states, []).append(slot)
        for states, slots in noisy.items():
            self._add_noise(states, slots, steps)

    def _write_starts(self, slots: list[int]) -> None:
        states = {}
        for name, initial in self._backend.initial_states().items():
            values = np.empty((len(slots), *self._shape), np.float32)
            for row, slot in enumerate(slots):
                puzzle = self._starting[slot]
                start = puzzle.start if puzzle is not None else None
                values[row] = initial if start is None else start.get(name, initial)
            states[name] = values
        self._backend.write_carry(np.array(slots), states)
        for slot in slots:
            self._starting[slot] = None

    def _add_noise(
        self, states: tuple[str, ...], slots: list[int], steps: NDArray[np.int32]
    ) -> None:
        windows = {name: np.zeros(len(slots), np.int64) for name in states}
        sigma = np.zeros(len(slots), np.float32)
        for row, slot in enumerate(slots):
            noise = self._noise[slot]
            if noise is None:
                continue
            sigma[row] = noise.sigma
            for name, window in noise.windows(int(steps[slot])).items():
                windows[name][row] = window
        self._backend.add_noise(np.array(slots), windows, sigma)
