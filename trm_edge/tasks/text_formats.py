"""Text formats that tasks share: one puzzle a line, or a CSV table with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trm_edge.tasks.base import BadLine

# (puzzle, answer) columns of the CSV files in circulation.
_COLUMNS = (("puzzle", "solution"), ("question", "answer"), ("quizzes", "solutions"))


@dataclass(frozen=True)
class RawRow:
    """A puzzle as it was written.

    Args:
        line: in the source, from 1.
        puzzle: its text.
        answer: the answer's text, where the source has one.
    """

    line: int
    puzzle: str
    answer: str | None


def numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Number lines from 1 and strip their ends and byte order marks.

    Args:
        lines: of text.
    """
    for number, line in enumerate(lines, 1):
        yield number, line.rstrip("\r\n").lstrip("\ufeff")


def read_fields(lines: Iterator[tuple[int, str]], letters: str = "") -> Iterator[RawRow | BadLine]:
    """Split numbered lines into fields; the first line decides whether this is a table.

    Args:
        lines: as :func:`numbered` gives them.
        letters: letters that puzzles are written with; a word of any others makes the first line a
            header.
    """
    first_line = next(lines, None)
    if first_line is None:
        return
    if _is_header(first_line[1], letters):
        yield from _read_table(first_line, lines)
        return
    yield _split(*first_line)
    for number, line in lines:
        yield _split(number, line)


def place(cell: int, side: int) -> str:
    """Name the place of a cell, counted from 1.

    Args:
        cell: index of the cell, from 0.
        side: cells in a row.

    >>> place(10, 9)
    'row 2, column 2'
    """
    return f"row {cell // side + 1}, column {cell % side + 1}"


def _is_header(line: str, letters: str) -> bool:
    words = [word.strip('" ') for word in line.split(",")]
    if len(words) == 1:
        return False
    return any(word.isidentifier() and set(word) - set(letters) for word in words)


def _split(number: int, line: str) -> RawRow:
    """Take a second field as the answer: "puzzle,solution" without a header."""
    puzzle, _, answer = line.partition(",")
    return RawRow(number, puzzle, answer or None)


def _read_table(
    header: tuple[int, str], rows: Iterator[tuple[int, str]]
) -> Iterator[RawRow | BadLine]:
    header_number, header_line = header
    names = [name.strip().lower() for name in _cells(header_line)]
    columns = _columns_among(names)
    if columns is None:
        known = " or ".join(",".join(pair) for pair in _COLUMNS)
        yield BadLine(
            header_number,
            f"the header {header_line!r} does not name a column of puzzles; expected {known}",
        )
        return
    puzzle_column, answer_column = columns
    for number, line in rows:
        cells = _cells(line)
        if len(cells) != len(names):
            yield BadLine(number, f"expected {len(names)} fields, but got {len(cells)}")
            continue
        answer = None
        if answer_column is not None:
            answer = cells[answer_column] or None
        yield RawRow(number, cells[puzzle_column], answer)


def _columns_among(names: list[str]) -> tuple[int, int | None] | None:
    """Find the numbers of the puzzle's column and, where there is one, the answer's."""
    for puzzle, answer in _COLUMNS:
        if puzzle in names:
            answer_column = names.index(answer) if answer in names else None
            return names.index(puzzle), answer_column
    return None


def _cells(line: str) -> list[str]:
    """Split a line of CSV; [] where csv cannot, as with a field of over 131,072 characters."""
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return []
