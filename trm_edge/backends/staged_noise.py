"""The noise of the next step, for step graphs and engines that add it by themselves.

Two numbers a slot say all: where its window of the noise table begins, and the sigma. The table is
a constant of the graph.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BackendError
from trm_edge.noise import WINDOWS
from trm_edge.step import NOISE_INPUTS

logger = logging.getLogger(__name__)


class NoiseArrays(NamedTuple):
    """The inputs for noise of one step.

    Args:
        window: (B,) int32, where each slot's window of the noise table begins.
        sigma: (B,) float32, standard deviations; 0 where a slot gets no noise.
    """

    window: NDArray[np.int32]
    sigma: NDArray[np.float32]

    @classmethod
    def none(cls, slots: int) -> NoiseArrays:
        """Make the inputs of a step without noise.

        Args:
            slots: B, the number of slots.
        """
        return cls(np.zeros(slots, np.int32), np.zeros(slots, np.float32))

    def feeds(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by the names of the graph's inputs."""
        return dict(zip(NOISE_INPUTS, self, strict=True))


class StagedNoise:
    """Collects the noise of the next step.

    Args:
        slots: B, the number of slots.
    """

    def __init__(self, slots: int) -> None:
        self._arrays = NoiseArrays.none(slots)

    def put(
        self, slots: NDArray[np.int64], windows: NDArray[np.int64], sigma: NDArray[np.float32]
    ) -> None:
        """Set the noise of some slots.

        Args:
            slots: (n,) int64, indices of slots.
            windows: (n,) int64, windows of the noise table.
            sigma: (n,) float32, standard deviations.

        Raises:
            BackendError: a window does not lie in the table.
        """
        outside = (windows < 0) | (windows >= WINDOWS)
        if outside.any():  # a GPU would read whatever lies there
            raise BackendError(
                f"a window of the noise table must begin at 0 to {WINDOWS - 1}, but got "
                f"{windows[outside][0]}. Take the windows of Noise.windows()."
            )
        self._arrays.window[slots] = windows
        self._arrays.sigma[slots] = sigma

    def take(self) -> NoiseArrays:
        """Return the noise of the next step; the step after it has none yet."""
        arrays = self._arrays
        self._arrays = NoiseArrays.none(len(arrays.window))
        return arrays

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Continue with some of the slots.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        window, sigma = self._arrays
        self._arrays = NoiseArrays(window[slots], sigma[slots])


@functools.cache
def warn_of_copied_carries(graph: Path, state: str, *, has_input: bool) -> None:
    """Warn, once for each graph or engine, that noise has to leave and enter the GPU.

    Args:
        graph: the step graph or engine, in its target's folder of a bundle.
        state: name of the state that an input for noise is for.
        has_input: the graph has it, but the noise is for other states.
    """
    folder = graph.parent
    remedy = (
        f"Noise on {state} alone stays there, with an input for it: trm-edge export CHECKPOINT "
        f"--into {folder.parent} --target {folder.name} --noise --force, and build its engine again"
    )
    if has_input:
        remedy = f"It has an input for noise on {state} alone"
    logger.warning(
        "%s has no input for this noise, so the carries of all slots are copied from the GPU and "
        "back in every step. %s.",
        graph,
        remedy,
    )
