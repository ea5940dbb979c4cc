"""Text of Sudoku grids: characters of a cell, lines, and grids of several rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError
from trm_edge.tasks.blocks import CellTable
from trm_edge.tasks.lines import too_long
from trm_edge.tasks.sudoku_grid import BLANK, SudokuGrid
from trm_edge.tasks.text_formats import is_header, place

_BLANKS = ".0"
_OTHER_BLANKS = "_*-?xX"
_FRAME = frozenset("+-=|:*┌┬┐├┼┤└┴┘─│╔╦╗╠╬╣╚╩╝═║╟╢╤╧╪╫╥╨┏┳┓┣╋┫┗┻┛━┃┠┨┯┷┿ \t")
_RULES = frozenset("+-=─═━┌└├╔╚╠┏┗┣╟")  # a line of frame characters with one of these is a rule
_SIDES = re.compile(r"[|│║┃\s:,;]+")  # between the cells of a row
_BETWEEN_FIELDS = re.compile(r"[,;:\t]")
_TITLE = re.compile(
    r"\[\w+\]|(grid|puzzle|sudoku|game|no\.?)\s*#?\s*\d+\s*:?|\d+ of \d+ solved", re.IGNORECASE
)
# trm-edge solve draws the answer to the right of the puzzle.
_SIDE_BY_SIDE = re.compile(r"(.*?[│|┐┤┘+]) {3,}[│|┌├└+].*")


class SudokuText:
    """Parses the text of grids of one size.

    Args:
        grid: the size.
    """

    def __init__(self, grid: SudokuGrid) -> None:
        self._grid = grid
        self._ids = {symbol: BLANK + 1 + index for index, symbol in enumerate(grid.symbols)}
        for symbol in grid.symbols:
            self._ids.setdefault(symbol.lower(), self._ids[symbol])
        for blank in _BLANKS:
            self._ids[blank] = BLANK
        self.table = CellTable(self._ids)
        self.letters = "".join(self._ids) + _OTHER_BLANKS

    def tokens(self, text: str) -> NDArray[np.int32]:
        """Turn the characters of all cells into token ids.

        Args:
            text: one character a cell, row after row; or the lines of a grid.

        Returns:
            (L,) int32.

        Raises:
            PuzzleError: says what is wrong with the text.
        """
        if "\n" in text:
            text = "".join(self._rows_of(text))
        text = text.strip()
        if len(text) != self._grid.cells:
            raise PuzzleError(f"expected {self._grid.cells} characters, but got {len(text)}")
        text = self._with_points(text)
        tokens, are_cells = self.table.tokens([text], self._grid.cells)
        if are_cells[0]:
            only: NDArray[np.int32] = tokens[0]
            return only
        for cell, character in enumerate(text):
            if character not in self._ids:
                digits = "digits"
                if self._grid.side != 9:
                    digits = f"{self._grid.symbols[0]}-{self._grid.symbols[-1]}"
                raise PuzzleError(
                    f"expected {digits} and '.' or '0' for blanks, but got {character!r} at "
                    f"{place(cell, self._grid.side)}"
                )
        return np.array([self._ids[character] for character in text], np.int32)

    def joined(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Leave out empty lines, comments and titles, and join the rows of a grid to one item.

        A grid is handed out as soon as its last row is read: whoever writes it may be waiting.

        Args:
            lines: numbered.

        Returns:
            Numbered items; those made of several rows have line breaks in them.
        """
        block: list[str] = []
        top = 0
        is_first = True
        for number, raw in lines:
            line = raw if too_long(raw) else _left_of(raw.strip())
            is_content = line != "" and not line.startswith("#") and not self._is_title(line)
            if is_content and is_first:
                is_first = False
                if is_header(line, self.letters):
                    yield number, line
                    continue
            if is_content and (self.is_row(line) or _is_rule(line)):
                if not block and _is_rule(line) and not self.is_row(line):
                    continue  # the frame above a grid, or the one below
                top = top if block else number
                block.append(_BETWEEN_FIELDS.sub(" ", line))  # they are no fields of a table
                if self._is_complete(block):
                    yield top, "\n".join(block)
                    block = []
                continue
            if block:
                yield top, "\n".join(block)
                block = []
            if is_content:
                yield number, line
        if block:
            yield top, "\n".join(block)

    def _is_title(self, line: str) -> bool:
        return len(line) <= 40 and _TITLE.fullmatch(line) is not None

    def _cells_of(self, line: str) -> str:
        """Reduce a row of a grid to one character a cell."""
        parts = [part for part in _SIDES.split(line) if part]
        if len(parts) == self._grid.side and all(part.isdecimal() for part in parts):
            numbers = [int(part) for part in parts if len(part) <= 2]
            if len(numbers) == len(parts) and max(numbers) <= self._grid.side:
                symbols = f".{self._grid.symbols}"
                return "".join(symbols[number] for number in numbers)
        return "".join(parts)

    def is_row(self, line: str) -> bool:
        """Tell whether a line holds as many cells as a row.

        Args:
            line: without the white space around it.
        """
        if len(line) > 8 * self._grid.side + 8:
            return False
        return len(self._cells_of(line)) == self._grid.side

    def _is_dashes(self, line: str) -> bool:
        """Tell a line that may be a row of blanks as well as a rule."""
        return set(self._cells_of(line)) == {"-"}

    def _is_complete(self, block: list[str]) -> bool:
        """Tell whether the last row of a grid has been read, whatever follows."""
        rows = [line for line in block if self.is_row(line) and not self._is_dashes(line)]
        has_dashes = len(block) > len(rows) and any(self._is_dashes(line) for line in block)
        if has_dashes and any("-" in row for row in rows):
            return len(block) >= 2 * self._grid.side
        return len(rows) == self._grid.side

    def _rows_of(self, text: str) -> list[str]:
        """Return the rows of a grid, one character a cell."""
        lines = [line for line in text.split("\n") if self.is_row(line)]
        rows = [self._cells_of(line) for line in lines if not self._is_dashes(line)]
        side = self._grid.side
        if len(rows) != side and any("-" in row for row in rows):
            rows = [self._cells_of(line) for line in lines]
        if len(rows) != side:
            noun = "row" if len(rows) == 1 else "rows"
            raise PuzzleError(
                f"expected {side} rows of {side} characters without an empty line between them, "
                f"or {self._grid.cells} characters in one line, but got {len(rows)} {noun}"
            )
        return rows

    def _with_points(self, text: str) -> str:
        """Write blanks as points where another character can mean nothing else.

        It has to be the only blank of the grid and to stand in as many cells as a row has: a few
        of them are slips.
        """
        used = {character for character in text if character in _OTHER_BLANKS}
        if len(used) != 1 or any(blank in text for blank in _BLANKS):
            return text
        blank = used.pop()
        if blank in self._ids or text.count(blank) < self._grid.side:
            return text
        return text.replace(blank, ".")


def _is_rule(line: str) -> bool:
    """Tell a line of the frame around the rows of a grid."""
    return len(line) >= 3 and _FRAME.issuperset(line) and not _RULES.isdisjoint(line)


def _left_of(line: str) -> str:
    """Return a line of the puzzle where the answer is drawn beside it."""
    drawn = _SIDE_BY_SIDE.fullmatch(line) if "   " in line else None
    return drawn[1] if drawn else line
