"""Gains of the same puzzles under two conditions, with intervals."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.statistics import Z95

Solved = NDArray[np.int64]


class Gain(NamedTuple):
    """A mean difference between two conditions, as a share of the puzzles.

    Args:
        mean: the difference.
        low: lower end of its 95 % interval.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def points(self) -> str:
        """In points, with the interval."""
        low = 100 * self.low
        high = 100 * self.high
        return f"{100 * self.mean:+.1f} ({low:+.1f} to {high:+.1f})"


def solved_puzzles(row: dict[str, Any], count: int) -> Solved:
    """Read which puzzles were solved, (n,) of 0 and 1.

    Args:
        row: of :meth:`lib.tries.Outcome.to_row`.
        count: n, number of puzzles.
    """
    packed = np.frombuffer(bytes.fromhex(row["solved"]), np.uint8)
    return np.unpackbits(packed, count=count).astype(np.int64)


def mean_gain(differences: Solved) -> Gain:
    """Compute the mean of the puzzles' differences and its 95 % interval.

    Half a puzzle that gains and half a one that loses are added, as for a paired proportion
    (Agresti and Min, 2005), so that no differences among few puzzles prove little.

    Args:
        differences: (n,) integer, what each puzzle gained.
    """
    count = len(differences) + 2.0
    balance = float(differences.sum())
    squares = float((differences**2).sum()) + 1.0
    middle = balance / count
    half = Z95 * sqrt(squares - balance**2 / count) / count
    return Gain(float(differences.mean()), middle - half, middle + half)
