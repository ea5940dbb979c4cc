"""The eight turns and reflections of a grid, numbered as the published builders number them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def dihedral(grid: NDArray[Any], number: int) -> NDArray[Any]:
    """Turn or reflect a grid.

    Args:
        grid: (rows, columns).
        number: 0 the identity; 1, 2, 3 quarter turns counter-clockwise; 4 left-right; 5 up-down;
            6 the transpose; 7 the other diagonal.

    Returns:
        A view of the grid.

    >>> import numpy as np
    >>> dihedral(np.array([[1, 2]]), 1).tolist()
    [[2], [1]]
    """
    # Slices: numpy's functions for these take most of the time that votes take.
    image = grid
    if number == 1:
        image = grid.T[::-1]
    elif number == 2:
        image = grid[::-1, ::-1]
    elif number == 3:
        image = grid[::-1].T
    elif number == 4:
        image = grid[:, ::-1]
    elif number == 5:
        image = grid[::-1]
    elif number == 6:
        image = grid.T
    elif number == 7:
        image = grid[::-1, ::-1].T
    return image


# The number that undoes each number of `dihedral`.
DIHEDRAL_INVERSES = (0, 3, 2, 1, 4, 5, 6, 7)
