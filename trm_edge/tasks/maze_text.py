"""Text of mazes: lines with all cells, and pictures of several lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError
from trm_edge.tasks.lines import too_long
from trm_edge.tasks.maze_cells import IDS
from trm_edge.tasks.text_formats import is_header, place


class MazeText:
    """Parses the text of mazes of one size.

    Args:
        side: cells in a row.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.cells = side * side

    def joined(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Skip empty lines, and join the rows of a picture to one item with line breaks in it."""
        rows: list[str] = []
        top = 0
        is_first = True
        for number, line in lines:
            if is_first and line.strip():
                is_first = False
                if is_header(line, "SGo"):
                    yield number, line
                    continue
            if self.is_row(line):
                top = top if rows else number
                if len(rows) < self.side + 3:  # with the frame, one more than there may be
                    rows.append(line)
                continue
            if rows:
                yield top, "\n".join(rows)
                rows = []
            if line.strip():
                yield number, line
        if rows:
            yield top, "\n".join(rows)

    def is_row(self, line: str) -> bool:
        """Tell a row of a picture from a line with all cells, by its length."""
        if too_long(line):
            return False
        if not line.strip():
            return len(line) == self.side  # a row of open cells, not an empty line
        return line[0] in "┌│└" or ("," not in line and 2 * len(line) <= self.cells)

    def unfolded(self, text: str) -> str:
        """Return the characters of all cells, from a line or a picture."""
        if not self.is_row(text.partition("\n")[0]):
            return text
        rows = []
        for row in text.split("\n"):
            if row[:1] not in ("┌", "└"):
                rows.append(_undrawn(row))
        if len(rows) != self.side:
            count = str(len(rows)) if len(rows) < self.side else "more"
            noun = "row" if count == "1" else "rows"
            raise PuzzleError(
                f"expected {self.side} rows of {self.side} characters, or {self.cells} characters "
                f"in one line, but got {count} {noun}"
            )
        if "." not in text and max(map(len, rows)) == self.side:
            rows = [row.ljust(self.side) for row in rows]  # spaces that an editor cut off
        for number, row in enumerate(rows, 1):
            if len(row) != self.side:
                raise PuzzleError(
                    f"expected {self.side} characters in row {number}, but got {len(row)}"
                )
        return "".join(rows)

    def tokens(self, text: str, characters: str) -> NDArray[np.int32]:
        if len(text) != self.cells:
            hint = ""
            if " " in text and "." not in text and len(text) < self.cells:
                hint = ". Write '.' for open cells: an editor may have cut off spaces"
            raise PuzzleError(f"expected {self.cells} characters, but got {len(text)}{hint}")
        for cell, character in enumerate(text):
            if character not in characters:
                path = ", 'o'" if "o" in characters else ""
                raise PuzzleError(
                    f"expected '#', '.' or ' ', 'S', 'G'{path}, but got {character!r} at "
                    f"{place(cell, self.side)}"
                )
        return np.array([IDS[character] for character in text], np.int32)


def _undrawn(row: str) -> str:
    """Turn a row as ``draw`` writes it into one character a cell; leave any other as it is."""
    if not row.startswith("│"):
        return row
    return row.rstrip().strip("│")[::2].replace("█", "#")
