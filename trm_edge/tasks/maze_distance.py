"""Shortest paths of many mazes at once: a row of cells is one number, and a cell one bit of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST_SIDE = 64  # bits of a row
UNREACHED = -1
_KEPT_SHARE = 0.7  # of the mazes still searched, below which the others are dropped


def shortest_paths(
    passable: NDArray[np.bool_], start: NDArray[np.bool_], goal: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Count the steps of the shortest path of every maze, by breadth-first search.

    A step spreads all cells that were reached last by one cell, in all mazes together.

    Args:
        passable: (n, side, side) cells that a path may use; the start may always be used.
        start: (n, side, side) the one first cell.
        goal: (n, side, side) the one last cell.

    Returns:
        (n,) steps; ``UNREACHED`` where there is no path.

    Raises:
        ValueError: the mazes are too large for this search.
    """
    count, side, _ = passable.shape
    if side > LARGEST_SIDE:
        raise ValueError(f"a side has at most {LARGEST_SIDE} cells, but got {side}")
    free = _row_bits(passable)
    front = _row_bits(start)
    target = _row_bits(goal)
    free &= ~front
    lengths = np.full(count, UNREACHED)
    searched = np.arange(count)
    steps = 0
    while len(searched):
        arrived = (front & target).any(0)
        lengths[searched[arrived]] = steps
        going_on = ~arrived & front.any(0)
        if going_on.sum() <= _KEPT_SHARE * len(searched):
            searched = searched[going_on]
            free = free[:, going_on]
            front = front[:, going_on]
            target = target[:, going_on]
        else:
            front[:, ~going_on] = 0
            target[:, arrived] = 0
        reached = (front << np.uint64(1)) | (front >> np.uint64(1))
        reached[1:] |= front[:-1]
        reached[:-1] |= front[1:]
        reached &= free
        free ^= reached
        front = reached
        steps += 1
    return lengths


def _row_bits(cells: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Rows as numbers (side, n): mazes lie side by side, so that rows above are contiguous."""
    side = cells.shape[-1]
    weights = np.uint64(1) << np.arange(side, dtype=np.uint64)
    rows: NDArray[np.uint64] = (cells * weights).sum(-1, dtype=np.uint64)
    return np.ascontiguousarray(rows.T)
