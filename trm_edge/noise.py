"""Noise on the states of a puzzle: every try at it takes another path.

Adding normal noise to the answer's state before every step, and keeping the answer whose halting
logit is the highest, raises what a trained model solves (arXiv 2605.19943). The random numbers are
windows of one table, so that they cost next to nothing, on a GPU too, and are the same everywhere.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError

WINDOWS = 1 << 20  # places where a window of the table can begin
_SEED = 2605_19943
_START = (1 << 63) - 1  # in place of the step number, for a random start


@dataclass(frozen=True)
class Noise:
    """Normal noise that is added to states before every step.

    Args:
        sigma: standard deviation. A state leaves a network through RMSNorm, so its root mean square
            is 1, and an absolute sigma is relative to it as well.
        key: of the random numbers; see :func:`noise_key`.
        states: names of the states.

    Raises:
        ConfigError: ``sigma`` is negative or not finite.
    """

    sigma: float
    key: bytes
    states: tuple[str, ...] = ("z_H",)

    def __post_init__(self) -> None:
        check_sigma(self.sigma)

    def windows(self, step: int) -> dict[str, int]:
        """Choose the windows of the noise table for one step.

        Args:
            step: ACT steps (adaptive computation time) that the puzzle has taken so far.

        Returns:
            Where the window of each state begins, 0..WINDOWS - 1, by the name of the state.
        """
        return {name: _window(self.key, step, name) for name in self.states}


def check_sigma(sigma: float) -> None:
    """Refuse a standard deviation that no noise can have.

    Args:
        sigma: standard deviation.

    Raises:
        ConfigError: it is negative or not finite.
    """
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ConfigError(f"sigma must be 0 or more and finite, but got {sigma}.")


def noise_key(tokens: NDArray[Any], identifier: int, number: int, seed: int = 0) -> bytes:
    """Compute the key of the random numbers of a try.

    It depends on the puzzle and on the try alone, so an answer does not depend on the batch, on the
    order of the puzzles, or on the backend.

    Args:
        tokens: (L,) token ids of the puzzle.
        identifier: of the puzzle.
        number: of the try, from 0.
        seed: of all tries; another one gives other noise.
    """
    digest = hashlib.sha256(np.asarray(tokens, "<i4").tobytes())
    digest.update(np.array([identifier, number, seed], "<i8").tobytes())
    return digest.digest()


def random_start(
    key: bytes, sigma: float, shape: tuple[int, int], states: tuple[str, ...]
) -> dict[str, NDArray[np.float32]]:
    """Draw a start: normal, independent in each position and feature (arXiv 2605.21488).

    Args:
        key: of the random numbers; see :func:`noise_key`.
        sigma: standard deviation.
        shape: (P + L, D) of a state.
        states: names of the states.

    Returns:
        (P + L, D) float32 by the name of the state.
    """
    start = {}
    for name in states:
        start[name] = np.float32(sigma) * window_at(_window(key, _START, name), shape)
    return start


def window_at(window: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the standard normal values of a window.

    Args:
        window: where it begins, 0..WINDOWS - 1.
        shape: (P + L, D) of a state.

    Returns:
        (P + L, D) float32, read-only.
    """
    count = shape[0] * shape[1]
    return noise_table(count)[window : window + count].reshape(shape)


@functools.lru_cache(maxsize=4)
def noise_table(count: int) -> NDArray[np.float32]:
    """Make the table of standard normal values.

    Args:
        count: values in a window.

    Returns:
        (WINDOWS + count,) float32, read-only and the same at every call.
    """
    generator = np.random.Generator(np.random.Philox(_SEED))
    table = generator.standard_normal(WINDOWS + count, np.float32)
    table.flags.writeable = False
    return table


def _window(key: bytes, step: int, state: str) -> int:
    digest = hashlib.sha256(key + step.to_bytes(8, "little") + state.encode()).digest()
    return int.from_bytes(digest[:8], "little") % WINDOWS
