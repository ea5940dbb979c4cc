"""Comparison of carries: the cosine between the states of two runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError
from trm_edge.evaluation.vectors import ParityVectors


@dataclass(frozen=True)
class CarryParity:
    """Mean cosine between the carries of two runs after every ACT step.

    Args:
        puzzles: number of puzzles whose carries were recorded.
        z_H: mean cosine of the z_H states by step, (T,).
        z_L: the same for the z_L states.

    Raises:
        ConfigError: the two differ in length.
    """

    puzzles: int
    z_H: tuple[float, ...]
    z_L: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.z_H) != len(self.z_L):
            raise ConfigError(
                f"the cosines of z_H and z_L must be of as many steps, but are of {len(self.z_H)} "
                f"and {len(self.z_L)}"
            )

    @property
    def by_step(self) -> tuple[float, ...]:
        """Mean cosine of both states together, by step."""
        means = []
        for high, low in zip(self.z_H, self.z_L, strict=True):
            means.append((high + low) / 2)
        return tuple(means)


def carry_parity(reference: ParityVectors, candidate: ParityVectors) -> CarryParity:
    """Compare the recorded carries of two runs over the same puzzles.

    Args:
        reference: the float32 model's run.
        candidate: the run to judge.
    """
    return CarryParity(
        puzzles=len(reference.carry_positions),
        z_H=_mean_by_step(cosine_similarity(reference.z_H, candidate.z_H)),
        z_L=_mean_by_step(cosine_similarity(reference.z_L, candidate.z_L)),
    )


def cosine_similarity(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """Compute the cosine between vectors along the last axis, in float64.

    Args:
        left: (..., D) of any float type.
        right: the same shape.

    Returns:
        Cosines (...); 0 where either vector is zero.
    """
    first = left.astype(np.float64)
    second = right.astype(np.float64)
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    products = (first * second).sum(-1)
    cosines: NDArray[np.float64] = products / np.where(norms > 0, norms, 1.0)
    return cosines


def _mean_by_step(cosines: NDArray[np.float64]) -> tuple[float, ...]:
    """Mean over puzzles of cosines (m, T)."""
    return tuple(cosines.mean(0).tolist())
