"""Text formats that tasks share: one puzzle a line, or a table with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trm_edge.tasks.base import BadLine
from trm_edge.tasks.lines import too_long

# (puzzle, answer) columns of the tables in circulation.
_COLUMNS = (
    ("puzzle", "solution"),
    ("question", "answer"),
    ("quizzes", "solutions"),
    ("quiz", "solution"),
    ("puzzles", "solutions"),
)
_SEPARATORS = ("\t", ";", ",")


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


def read_fields(
    lines: Iterator[tuple[int, str]], letters: str = "", separators: Iterable[str] = _SEPARATORS
) -> Iterator[RawRow | BadLine]:
    """Split numbered lines into fields; the first line decides whether this is a table.

    Args:
        lines: as :func:`numbered` gives them.
        letters: letters that puzzles are written with; a word of any others makes the first line a
            header.
        separators: between the puzzle and its answer; the first that a line has splits it.
    """
    first_line = next(lines, None)
    if first_line is None:
        return
    if is_header(first_line[1], letters):
        yield from _read_table(first_line, lines)
        return
    separators = tuple(separators)
    yield _split(*first_line, separators)
    for number, line in lines:
        yield _split(number, line, separators)


def is_header(line: str, letters: str = "") -> bool:
    """Tell the header of a table from a puzzle.

    Args:
        line: the first one of a source.
        letters: letters that puzzles are written with.
    """
    if too_long(line):
        return False
    words = [word.strip("\"' ") for word in line.split(_separator(line, _SEPARATORS))]
    if len(words) == 1:
        return any(words[0].lower() == puzzle for puzzle, _ in _COLUMNS)
    return any(word.isidentifier() and set(word) - set(letters) for word in words)


def place(cell: int, side: int) -> str:
    """Name the place of a cell, counted from 1.

    Args:
        cell: index of the cell, from 0.
        side: cells in a row.

    >>> place(10, 9)
    'row 2, column 2'
    """
    return f"row {cell // side + 1}, column {cell % side + 1}"


def _separator(line: str, separators: Iterable[str]) -> str:
    for separator in separators:
        if separator in line:
            return separator
    return ","


def _split(number: int, line: str, separators: tuple[str, ...]) -> RawRow | BadLine:
    """Take a second field as the answer: "puzzle,solution" without a header."""
    problem = too_long(line)
    if problem:
        return BadLine(number, problem)
    separator = _separator(line, separators)
    if line.lstrip().startswith('"'):
        fields = _cells(line.strip(), separator)
        if not fields:
            return BadLine(number, "its quotes do not close")
        fields.append("")
        return RawRow(number, fields[0], fields[1] or None)
    puzzle, _, answer = line.partition(separator)
    return RawRow(number, puzzle, answer.rstrip(separator) or None)


def _read_table(
    header: tuple[int, str], rows: Iterator[tuple[int, str]]
) -> Iterator[RawRow | BadLine]:
    header_number, header_line = header
    separator = _separator(header_line, _SEPARATORS)
    names = [name.strip().lower() for name in _cells(header_line, separator)]
    columns = _columns_among(names)
    if columns is None:
        known = " or ".join(",".join(pair) for pair in _COLUMNS[:3])
        shown = header_line if len(header_line) <= 80 else f"{header_line[:80]}..."
        yield BadLine(
            header_number,
            f"the header {shown!r} does not name a column of puzzles; expected {known}",
        )
        return
    puzzle_column, answer_column = columns
    for number, line in rows:
        problem = too_long(line)
        if problem:
            yield BadLine(number, problem)
            continue
        cells = _cells(line, separator)
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


def _cells(line: str, separator: str) -> list[str]:
    """Split a line of CSV; [] where csv cannot, as with a field of over 131,072 characters."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []
