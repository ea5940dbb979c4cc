"""Finds the grid in the tokens of an answer.

The published rule: go down the rows and keep the fewest leading colour cells of all rows so far;
of the blocks (rows, those cells) the largest counts, of equals the one with the fewest rows. It
starts at the top left, so a translated answer is lost, and markers do not matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.arc.encoding import VOCAB_SIZE
from trm_edge.arc.grids import SIDE, Grid

_BLOCK = 4096  # canvases at once, for the sake of memory


def crop_shapes(canvases: NDArray[Any]) -> NDArray[np.int64]:
    """Find the size of the grid on each canvas.

    Args:
        canvases: (N, 900) integer tokens.

    Returns:
        (N, 2) int64 rows and columns; 0, 0 where the first cell is no colour.
    """
    shapes = np.zeros((len(canvases), 2), np.int64)
    for start in range(0, len(canvases), _BLOCK):
        block = canvases[start : start + _BLOCK]
        shapes[start : start + len(block)] = _block_shapes(block.reshape(-1, SIDE, SIDE))
    return shapes


def _block_shapes(canvases: NDArray[Any]) -> NDArray[np.int64]:
    is_other = (canvases < FIRST_COLOUR) | (canvases >= VOCAB_SIZE)  # (N, 30, 30)
    leading = is_other.argmax(axis=2)  # (N, 30); 0 where a row has none, too
    leading[~is_other.any(axis=2)] = SIDE
    widths = np.minimum.accumulate(leading, axis=1)
    rows = np.arange(1, SIDE + 1)
    best = (widths * rows).argmax(axis=1)  # the first of equals
    columns = np.take_along_axis(widths, best[:, np.newaxis], axis=1)[:, 0]
    height = np.where(columns > 0, best + 1, 0)
    return np.stack([height, columns], axis=1)


def crop(tokens: NDArray[Any]) -> Grid:
    """Cut the grid out of a canvas.

    Args:
        tokens: (900,) integer tokens.

    Returns:
        (rows, columns) uint8 colours; (0, 0) where the first cell is no colour.
    """
    canvas = np.asarray(tokens).reshape(1, SIDE * SIDE)
    rows, columns = crop_shapes(canvas)[0]
    grid = canvas.reshape(SIDE, SIDE)[:rows, :columns]
    return (grid - FIRST_COLOUR).astype(np.uint8)
