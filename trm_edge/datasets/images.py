"""Symmetric images of Sudokus and mazes, as the published builders make them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.dihedral import dihedral

_SIDE = 9
_BOX = 3
_BLANK_TOKENS = 2  # padding and the blank, which no permutation of the digits moves


def sudoku_images(
    pair: NDArray[np.uint8], count: int, random: np.random.RandomState
) -> NDArray[np.uint8]:
    """Draw random images of a Sudoku, which keep it one.

    Digits are renamed, rows move inside their band and columns inside their stack, bands and stacks
    move as a whole, and half of the images are transposed.

    Args:
        pair: (2, 81) tokens of the question and the answer: digit + 1.
        count: images beside the original.
        random: its state moves on.

    Returns:
        (count + 1, 2, 81) tokens, the original first.
    """
    images = [pair]
    cells = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE)
    for _ in range(count):
        tokens = np.arange(_BLANK_TOKENS + _SIDE, dtype=np.uint8)
        tokens[_BLANK_TOKENS:] = random.permutation(_SIDE) + _BLANK_TOKENS
        is_transposed = random.rand() < 0.5
        rows = _line_order(random)
        columns = _line_order(random)
        order = cells.T if is_transposed else cells
        images.append(tokens[pair[:, order[rows][:, columns].ravel()]])
    return np.stack(images)


def _line_order(random: np.random.RandomState) -> NDArray[np.int64]:
    """Draw an order of the nine rows, or columns, that keeps bands together."""
    lines = []
    for band in random.permutation(_BOX):
        lines.append(band * _BOX + random.permutation(_BOX))
    return np.concatenate(lines)


def maze_images(pair: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Turn and reflect a maze.

    Args:
        pair: (2, L) tokens of the question and the answer, L a square number.
        count: images beside the original, at most 7.

    Returns:
        (count + 1, 2, L) tokens, the original first.
    """
    side = int(pair.shape[1] ** 0.5)
    cells = np.arange(side * side).reshape(side, side)
    images = []
    for number in range(count + 1):
        images.append(pair[:, dihedral(cells, number).ravel()])
    return np.stack(images)
