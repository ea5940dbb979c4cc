"""The rows of a task's variants: each pair is encoded once and then recoloured and moved as bytes.

A dataset has millions of rows, so a row costs a table lookup and a shift, not a new encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trm_edge.arc.encoding import CELLS, PADDING, encode
from trm_edge.arc.grids import SIDE, Grid
from trm_edge.arc.task import Pair
from trm_edge.dihedral import dihedral

_PADDING = bytes([PADDING]) * CELLS


class Canvas(NamedTuple):
    """An encoded grid at the top left.

    Args:
        rows: of the grid.
        columns: of the grid.
        tokens: 900 tokens.
        unbounded: the same without the end markers to the right of the grid.
    """

    rows: int
    columns: int
    tokens: bytes
    unbounded: bytes

    def moved(self, row: int, column: int, table: bytes) -> bytes:
        """Recolour the grid and move it.

        Args:
            row: at which its first cell is placed.
            column: at which its first cell is placed.
            table: the new token of each token.

        Returns:
            900 tokens.
        """
        # Moving all tokens by one number keeps each row together; only the markers to the right
        # of a grid that ends at the edge would come out at the left of the next row.
        tokens = self.unbounded if self.columns + column == SIDE else self.tokens
        shift = row * SIDE + column
        recoloured = tokens.translate(table)
        if not shift:
            return recoloured
        return _PADDING[:shift] + recoloured[: CELLS - shift]


class CanvasPair(NamedTuple):
    """The canvases of a pair.

    Args:
        input: of the question.
        output: of the answer.
    """

    input: Canvas
    output: Canvas

    @property
    def free_rows(self) -> int:
        """Rows by which the pair can be moved."""
        return SIDE - max(self.input.rows, self.output.rows)

    @property
    def free_columns(self) -> int:
        """Columns by which the pair can be moved."""
        return SIDE - max(self.input.columns, self.output.columns)


class PairCanvases:
    """The canvases of a task's pairs under each transform, made when they are first needed.

    Args:
        pairs: of one split of the task.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._by_transform: dict[int, list[CanvasPair]] = {}

    def transformed(self, number: int) -> list[CanvasPair]:
        """Return the canvases of all pairs.

        Args:
            number: of the turn or reflection.
        """
        canvases = self._by_transform.get(number)
        if canvases is None:
            canvases = []
            for pair in self._pairs:
                question = _canvas(dihedral(pair.input, number))
                answer = _canvas(dihedral(pair.answer(), number))
                canvases.append(CanvasPair(question, answer))
            self._by_transform[number] = canvases
        return canvases


def _canvas(grid: Grid) -> Canvas:
    rows, columns = grid.shape
    tokens = encode(grid).reshape(SIDE, SIDE)
    unbounded = tokens.copy()
    if columns < SIDE:
        unbounded[:rows, columns] = PADDING
    return Canvas(rows, columns, tokens.tobytes(), unbounded.tobytes())
