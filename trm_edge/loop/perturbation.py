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
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._shape = (backend.config.carry_len, backend.config.hidden_size)
        self._noise: dict[int, Noise] = {}  # by slot
        self._starting: dict[int, Puzzle] = {}  # by slot, puzzles whose start is not written yet

    def load(self, slot: int, puzzle: Puzzle) -> None:
        """Put a puzzle into a slot.

        Args:
            slot: index of the slot.
            puzzle: the puzzle.
        """
        self._noise.pop(slot, None)
        self._starting.pop(slot, None)
        is_written = bool(puzzle.start)
        noise = puzzle.noise
        if noise is not None and noise.sigma > 0:
            self._noise[slot] = noise
            is_written |= not self._backend.noise_follows_reset(noise.states)
        if is_written:
            self._starting[slot] = puzzle

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep some of the slots alone.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        noise = {}
        starting = {}
        for new, old in enumerate(slots.tolist()):
            if old in self._noise:
                noise[new] = self._noise[old]
            if old in self._starting:
                starting[new] = self._starting[old]
        self._noise = noise
        self._starting = starting

    def apply(self, reset: NDArray[np.bool_], steps: NDArray[np.int32]) -> None:
        """Write what the next step starts from.

        Args:
            reset: (B,) bool, slots that the step resets; those whose start is written are not.
            steps: (B,) int32, steps that the puzzle in each slot has taken.

        Raises:
            BackendError: the backend cannot write its carry.
        """
        if self._starting:
            slots = sorted(self._starting)
            self._write_starts(slots)
            reset[slots] = False
        noisy: dict[tuple[str, ...], list[int]] = {}  # slots by the states that get noise
        for slot, noise in sorted(self._noise.items()):
            noisy.setdefault(noise.states, []).append(slot)
        for states, slots in noisy.items():
            self._add_noise(states, slots, steps)

    def _write_starts(self, slots: list[int]) -> None:
        states = {}
        for name, initial in self._backend.initial_states().items():
            values = np.empty((len(slots), *self._shape), np.float32)
            for row, slot in enumerate(slots):
                start = self._starting[slot].start or {}
                values[row] = start.get(name, initial)
            states[name] = values
        self._backend.write_carry(np.array(slots), states)
        self._starting = {}

    def _add_noise(
        self, states: tuple[str, ...], slots: list[int], steps: NDArray[np.int32]
    ) -> None:
        windows = {name: np.zeros(len(slots), np.int64) for name in states}
        sigma = np.zeros(len(slots), np.float32)
        for row, slot in enumerate(slots):
            noise = self._noise[slot]
            sigma[row] = noise.sigma
            for name, window in noise.windows(int(steps[slot])).items():
                windows[name][row] = window
        self._backend.add_noise(np.array(slots), windows, sigma)
