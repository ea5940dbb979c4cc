"""Comparison of carries: the cosine between the states of two runs."""

from __future__ import annotations

from collections.abc import Mapping
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
        states: mean cosine of each state by step, (T,) by name.

    Raises:
        ConfigError: there is no state, or they differ in length.
    """

    puzzles: int
    states: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        lengths = {len(cosines) for cosines in self.states.values()}
        if len(lengths) != 1:
            raise ConfigError(
                "the cosines of all states must be of as many steps, but are of "
                f"{sorted(lengths)} steps"
            )

    @property
    def by_step(self) -> tuple[float, ...]:
        """Mean cosine of all states together, by step."""
        means = []
        for cosines in zip(*self.states.values(), strict=True):
            means.append(sum(cosines) / len(cosines))
        return tuple(means)


def carry_parity(reference: ParityVectors, candidate: ParityVectors) -> CarryParity:
    """Compare the recorded carries of two runs over the same puzzles.

    Args:
        reference: the float32 model's run.
        candidate: the run to judge.
    """
    states = {}
    for name, carries in reference.carries.items():
        states[name] = _mean_by_step(cosine_similarity(carries, candidate.carries[name]))
    return CarryParity(len(reference.carry_positions), states)


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
