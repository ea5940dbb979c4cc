"""Grids of colours: checked when they are read, arrays from then on."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

SIDE = 30  # rows and columns of the largest grid
COLOURS = 10

# A grid as JSON has it; without rows where a model answered none.
Colour = Annotated[int, msgspec.Meta(ge=0, le=COLOURS - 1)]
GridRow = Annotated[list[Colour], msgspec.Meta(min_length=1, max_length=SIDE)]
GridRows = Annotated[list[GridRow], msgspec.Meta(max_length=SIDE)]
Grid = NDArray[np.uint8]  # (rows, columns), colours 0..9


class GridError(ValueError):
    """A value is not a grid; the message is a clause that says why."""


def parse_grid(value: Any) -> Grid:
    """Check a grid of a JSON file.

    Args:
        value: as parsed: a list of rows, each a list of colours.

    Returns:
        (rows, columns) uint8.

    Raises:
        GridError: it is no rectangle of 1 to 30 rows and columns, or has other colours than 0..9.
    """
    if not isinstance(value, list) or not value:
        raise GridError("it must be a list of rows")
    if len(value) > SIDE:
        raise GridError(f"it has {len(value)} rows, and at most {SIDE} are allowed")
    for number, row in enumerate(value, start=1):
        if not isinstance(row, list) or not row:
            raise GridError(f"row {number} must be a list of colours")
        if len(row) > SIDE:
            raise GridError(f"row {number} has {len(row)} cells, and at most {SIDE} are allowed")
        if len(row) != len(value[0]):
            raise GridError(f"row {number} has {len(row)} cells, but row 1 has {len(value[0])}")
        for cell in row:
            if type(cell) is not int or not 0 <= cell < COLOURS:
                shown = json.dumps(cell)[:20]
                raise GridError(f"row {number} holds {shown}, and colours are 0 to {COLOURS - 1}")
    return np.array(value, np.uint8)
