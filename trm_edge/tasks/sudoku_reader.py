"""Sudoku puzzles and their known answers in text, a table or lines that grids are drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.entries import AnswerLine, BadLine, Entry, SolvedLine
from trm_edge.tasks.plain_rows import (
    Rows,
    parse_cells,
    plain_entries,
    read_rows,
    read_table_rows,
)
from trm_edge.tasks.sudoku_grid import BLANK, SudokuGrid
from trm_edge.tasks.sudoku_text import SudokuText
from trm_edge.tasks.text_formats import RawRow, read_fields

_SEPARATORS = ("\t", ";", ",", ":")


class SudokuReader:
    """Reads the puzzles of one size, with the answers beside or below them.

    Args:
        grid: rows, columns and boxes of the size.

    Attributes:
        text: parses the characters of a grid.
    """

    def __init__(self, grid: SudokuGrid) -> None:
        self._grid = grid
        self.text = SudokuText(grid)

    def read(self, lines: Iterator[tuple[int, str]], block: int) -> Iterator[Entry | BadLine]:
        """Parse numbered lines: one puzzle a line, grids of several lines, or a table.

        Args:
            lines: (number, text without its end).
            block: lines that are parsed together.
        """
        items = self.text.joined(lines)
        fields = read_fields(items, self.text.letters, _SEPARATORS)
        yield from read_rows(fields, block, self._plain_entries, self._item)

    def read_table(self, rows: Sequence[RawRow]) -> list[Entry | BadLine]:
        """Parse the rows of a table, each of which is to hold one puzzle.

        Args:
            rows: of any number.

        Returns:
            As many entries, or what is wrong with a row.
        """
        return read_table_rows(rows, self._plain_entries, self._item, self.text.joined)

    def _plain_entries(self, rows: Rows) -> dict[int, Entry]:
        """The entries of rows in the usual form, by their place."""
        table = self.text.table
        parsed = parse_cells(rows, table, table, self._grid.cells)
        puzzles = parsed.puzzles
        contradict = ((puzzles > BLANK) & (puzzles != parsed.answers)).any(1)
        hold_blanks = (parsed.answers == BLANK).any(1)
        plain = parsed._replace(
            are_plain=parsed.are_plain & self._grid.are_puzzles(puzzles),
            have_answers=parsed.have_answers & ~contradict & ~hold_blanks,
        )
        return plain_entries(rows, plain)

    def _item(self, row: RawRow, previous: Entry | None) -> Entry | BadLine:
        """Parse a puzzle and its answer, or the answer to the puzzle before it."""
        try:
            tokens = self._tokens(row.puzzle)
            if not self._grid.is_solved(tokens):
                answer = self._answer(row.answer, tokens) if row.answer else None
                return Entry(Puzzle(tokens), row.line, answer)
        except PuzzleError as error:
            return BadLine(row.line, str(error))
        if previous is not None and previous.answer is None and row.answer is None:
            clues = previous.puzzle.tokens
            if not ((clues > BLANK) & (clues != tokens)).any():
                return AnswerLine(
                    row.line, f"is the answer to the puzzle of line {previous.line}", tokens
                )
        return SolvedLine(row.line, "is a solved grid, not a puzzle: nothing is left to solve")

    def _tokens(self, text: str) -> NDArray[np.int32]:
        tokens = self.text.tokens(text)
        repeated = self._grid.repeated_digit(tokens)
        if repeated:
            unit, digit = repeated
            raise PuzzleError(f"{unit} is given {self._grid.symbols[digit - 1]} twice")
        return tokens

    def _answer(self, text: str, puzzle: NDArray[np.int32]) -> NDArray[np.int32] | None:
        """Parse the answer beside a puzzle; as in ``puzzle:1:solution``, a count may precede it."""
        count, colon, rest = text.partition(":")
        if count.strip().isdecimal() and len(count) < min(10, self._grid.cells):
            if not rest.strip():
                return None
            text = rest if colon else text
        try:
            answer = self.text.tokens(text)
        except PuzzleError as error:
            raise PuzzleError(f"answer: {error}") from error
        if (answer == BLANK).any():
            raise PuzzleError("answer: holds blanks")
        if ((puzzle > BLANK) & (puzzle != answer)).any():
            raise PuzzleError("answer: contradicts the givens")
        return answer
