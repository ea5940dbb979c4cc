"""Grids of Sudoku: their rows, columns and boxes, and the shuffles that keep them a Sudoku."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.tasks.augmentation import Augmentation

PAD = 0
BLANK = 1
SYMBOLS = "123456789ABCDEFGHIJKLMNOP"  # of the digits 1, 2, ... of grids of any size
_UNIT_NAMES = ("row", "column", "box")
_BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3), 16: (4, 4), 25: (5, 5)}  # (rows, columns) by side


class SudokuGrid:
    """A square of cells in which every row, column and box holds each digit once.

    Token ids: 0 is padding, 1 a blank, and digit + 1 a digit.

    Args:
        side: cells in a row, one of 4, 6, 9, 16 and 25.

    Attributes:
        cells: number of cells.
        vocabulary: number of token ids.
        box_rows: rows of a box.
        box_columns: columns of a box.
        symbols: the characters of the digits.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.cells = side * side
        self.vocabulary = side + 2
        self.box_rows, self.box_columns = _BOXES[side]
        self.symbols = SYMBOLS[:side]
        self._units = self._units_of_cells()
        self._every_digit = sum(1 << token for token in range(BLANK + 1, self.vocabulary))
        self._complete = np.arange(BLANK + 1, self.vocabulary)

    @staticmethod
    def side_of(seq_len: int, vocab_size: int) -> int | None:
        """Find the side of the grid that a model has the shape of.

        Args:
            seq_len: L, tokens of a puzzle.
            vocab_size: V, token ids.

        Returns:
            The side, or None where the shape is not that of a Sudoku.

        >>> SudokuGrid.side_of(81, 11), SudokuGrid.side_of(36, 8), SudokuGrid.side_of(81, 6)
        (9, 6, None)
        """
        side = isqrt(max(seq_len, 0))
        is_grid = side in _BOXES and side * side == seq_len and vocab_size == side + 2
        return side if is_grid else None

    def repeated_digit(self, cells: NDArray[Any]) -> tuple[str, int] | None:
        """Find a row, column or box that holds a digit twice, and the digit.

        Args:
            cells: (L,) token ids; blanks and padding are ignored.
        """
        values = np.asarray(cells, np.int64)[self._units]
        if (np.sort(values, -1) == self._complete).all():
            return None
        for name, units in zip(_UNIT_NAMES, values, strict=True):
            keys = units + self.vocabulary * np.arange(self.side)[:, None]
            counts = np.bincount(keys.ravel(), minlength=self.side * self.vocabulary)
            repeated = counts.reshape(self.side, self.vocabulary)[:, BLANK + 1 :] > 1
            if repeated.any():
                number, digit = np.argwhere(repeated)[0].tolist()
                return f"{name} {number + 1}", digit + 1
        return None

    def are_solved(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many grids whether every row, column and box holds each digit once.

        Args:
            cells: (n, L) token ids.

        Returns:
            (n,) bool.
        """
        present, _ = self._digits_of_units(cells)
        solved: NDArray[np.bool_] = (present == self._every_digit).all((1, 2))
        return solved

    def are_puzzles(self, cells: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many grids whether no unit holds a digit twice and something is left to solve.

        Args:
            cells: (n, L) token ids, blanks or digits.

        Returns:
            (n,) bool.
        """
        present, total = self._digits_of_units(cells)
        no_digit_twice: NDArray[np.bool_] = (present == total).all((1, 2))
        solved: NDArray[np.bool_] = (present == self._every_digit).all((1, 2))
        return no_digit_twice & ~solved

    def _digits_of_units(self, cells: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Bits (n, 3, side) of the digits in every unit, and their sums: equal where none is twice.

        A sum of different bits is their union; of equal ones it is not.
        """
        tokens = np.asarray(cells)
        is_digit = (tokens > BLANK) & (tokens < self.vocabulary)
        bits = np.where(is_digit, np.int64(1) << np.where(is_digit, tokens, 0).astype(np.int64), 0)
        rows = bits.reshape(-1, self.side, self.side)
        bands = (self.side // self.box_rows, self.box_rows)
        stacks = (self.side // self.box_columns, self.box_columns)
        boxes = bits.reshape(-1, *bands, *stacks)
        unions = []
        sums = []
        for grid, axes in ((rows, (2,)), (rows, (1,)), (boxes, (2, 4))):
            union = np.bitwise_or.reduce(grid, axes[-1])
            if len(axes) == 2:
                union = np.bitwise_or.reduce(union, axes[0])
            unions.append(union.reshape(-1, self.side))
            sums.append(grid.sum(axes).reshape(-1, self.side))
        return np.stack(unions, 1), np.stack(sums, 1)

    def is_solved(self, cells: NDArray[Any]) -> bool:
        """Tell whether every row, column and box holds each digit once.

        Args:
            cells: (L,) token ids.
        """
        values = np.asarray(cells, np.int64)[self._units]
        return bool((np.sort(values, -1) == self._complete).all())

    def shuffled(self, rng: np.random.Generator) -> Augmentation:
        """Draw a shuffle of digits, of bands and of the lines in them, transposed or not.

        Args:
            rng: draws it.
        """
        digits = np.concatenate([[PAD, BLANK], 2 + rng.permutation(self.side)])
        rows = _shuffled_lines(rng, self.side, self.box_rows)
        columns = _shuffled_lines(rng, self.side, self.box_columns)
        cells = self.side * rows[:, None] + columns
        if self.box_rows == self.box_columns and rng.integers(2):
            cells = cells.T
        return Augmentation(cells.ravel().copy(), digits)

    def _units_of_cells(self) -> NDArray[np.int64]:
        """Cells (3, side, side) of the rows, the columns and the boxes."""
        grid = np.arange(self.cells).reshape(self.side, self.side)
        bands = self.side // self.box_rows
        stacks = self.side // self.box_columns
        blocks = grid.reshape(bands, self.box_rows, stacks, self.box_columns)
        boxes = blocks.swapaxes(1, 2).reshape(self.side, self.side)
        return np.stack([grid, grid.T, boxes])


def _shuffled_lines(rng: np.random.Generator, side: int, height: int) -> NDArray[np.int64]:
    """Shuffle the bands of rows or columns, and the lines in each."""
    order = rng.permutation(side // height)
    bands = [height * band + rng.permutation(height) for band in order]
    return np.concatenate(bands)
