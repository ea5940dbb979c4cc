"""A grid as the tokens of a model: a canvas of 30 x 30 cells with markers where the grid ends.

Token 0 is the padding, 1 the end marker, 2 to 11 are the colours. A row of markers, as wide as the
grid, stands below it and a column of them, as tall, to its right, where the canvas has room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.arc.grids import COLOURS, SIDE, Grid

CELLS = SIDE * SIDE  # tokens of a canvas
VOCAB_SIZE = FIRST_COLOUR + COLOURS
PADDING = 0
END = 1


def with_markers(grid: Grid) -> NDArray[np.uint8]:
    """Turn colours into tokens, with a row and a column of end markers.

    Args:
        grid: (rows, columns), colours 0..9.

    Returns:
        (rows + 1, columns + 1) uint8; the corner is padding.
    """
    rows, columns = grid.shape
    block = np.full((rows + 1, columns + 1), END, np.uint8)
    block[:rows, :columns] = grid + FIRST_COLOUR
    block[rows, columns] = PADDING
    return block


def place(block: NDArray[np.uint8], row: int, column: int, canvas: NDArray[np.uint8]) -> None:
    """Write a block on an empty canvas; markers beyond its edge are left out.

    Args:
        block: as :func:`with_markers` returns it.
        row: of the grid's first cell.
        column: of the grid's first cell.
        canvas: (30, 30) of padding; changed in place.
    """
    bottom = row + block.shape[0]
    right = column + block.shape[1]
    canvas[row:bottom, column:right] = block[: SIDE - row, : SIDE - column]


def encode(grid: NDArray[Any], row: int = 0, column: int = 0) -> NDArray[np.uint8]:
    """Encode a grid.

    Args:
        grid: (rows, columns), colours 0..9, at most 30 x 30.
        row: at which its first cell is placed; 0 but in training.
        column: at which its first cell is placed; 0 but in training.

    Returns:
        (900,) uint8 tokens.

    Raises:
        ValueError: the grid does not fit on the canvas there.

    >>> encode(np.array([[5, 0]])).reshape(30, 30)[:3, :4].tolist()
    [[7, 2, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    rows, columns = grid.shape
    if not 0 <= row <= SIDE - rows or not 0 <= column <= SIDE - columns:
        raise ValueError(
            f"a grid of {rows} x {columns} at ({row}, {column}) does not fit on {SIDE} x {SIDE}"
        )
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    place(with_markers(np.asarray(grid, np.uint8)), row, column, canvas)
    return canvas.reshape(CELLS)
