"""A backend whose states can be written, for tests of starts and noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FakeBackend

INITIAL = {"z_H": 10.0, "z_L": 20.0}


class CarryingBackend(FakeBackend):
    """Adds 1 to both states in every step; q_halt is the mean of z_H, q_continue that of z_L."""

    def start(self, slots: int) -> None:
        super().start(slots)
        shape = (slots, self.config.carry_len, self.config.hidden_size)
        self.states = {name: np.full(shape, np.nan, np.float32) for name in INITIAL}

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        was_written = ~np.isnan(self.states["z_H"]).any((1, 2))
        self._age[was_written & (self._age < 0)] = 0
        super().step(tokens, puzzle_embedding, reset)
        for name, initial in INITIAL.items():
            self.states[name][reset] = initial
            self.states[name] += 1
        return HaltingLogits(self.states["z_H"].mean((1, 2)), self.states["z_L"].mean((1, 2)))

    def initial_states(self) -> dict[str, NDArray[np.float32]]:
        width = self.config.hidden_size
        return {name: np.full(width, value, np.float32) for name, value in INITIAL.items()}

    def write_carry(
        self, slots: NDArray[np.int64], states: Mapping[str, NDArray[np.float32]]
    ) -> None:
        for name, values in states.items():
            self.states[name][slots] = values

    def carry(self) -> tuple[NDArray[np.float32], ...]:
        return self.states["z_H"], self.states["z_L"]

    def compact(self, slots: NDArray[np.int64]) -> None:
        super().compact(slots)
        self.states = {name: values[slots] for name, values in self.states.items()}
