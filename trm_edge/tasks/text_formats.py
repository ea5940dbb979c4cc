"""The text that puzzles come in, whatever the task: one a line, or a CSV table with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trm_edge.tasks.base import BadLine

# (puzzle, answer) columns of the CSV files that are around.
_COLUMNS = (("puzzle", "solution"), ("question", "answer"), ("quizzes", "solutions"))


@dataclass(frozen=True)
class RawRow:
    """A puzzle and its answer, where the source has one, as they were written."""

    line: int
    puzzle: str
    answer: str | None


def numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines from 1, without their ends and byte order marks."""
    for number, line in enumerate(lines, 1):
        yield number, line.rstrip("\r\n").lstrip("\ufeff")


def read_fields(lines: Iterator[tuple[int, str]], letters: str = "") -> Iterator[RawRow | BadLine]:
    """Numbered lines as fields; the first one says whether this is a table.

    Args:
        letters: those that puzzles are written with; a word of others makes the line a header.
    """
    first = next(lines, None)
    if first is None:
        return
    words = [word.strip('" ') for word in first[1].split(",")]
    if len(words) > 1 and any(word.isidentifier() and set(word) - set(letters) for word in words):
        yield from _read_table(first, lines)
        return
    yield _line_fields(*first)
    for number, line in lines:
        yield _line_fields(number, line)


def _line_fields(number: int, line: str) -> RawRow:
    """A second field is taken as the answer: "puzzle,solution" with no header."""
    puzzle, _, answer = line.partition(",")
    return RawRow(number, puzzle, answer or None)


def _read_table(
    header: tuple[int, str], rows: Iterator[tuple[int, str]]
) -> Iterator[RawRow | BadLine]:
    names = [name.strip().lower() for name in _row(header[1])]
    pair = next((pair for pair in _COLUMNS if pair[0] in names), None)
    if pair is None:
        known = " or ".join(",".join(columns) for columns in _COLUMNS)
        yield BadLine(
            header[0], f"the header {header[1]!r} names no column of puzzles; expected {known}"
        )
        return
    puzzle_at = names.index(pair[0])
    answer_at = names.index(pair[1]) if pair[1] in names else None
    for number, line in rows:
        fields = _row(line)
        if len(fields) != len(names):
            yield BadLine(number, f"expected {len(names)} fields, but got {len(fields)}")
            continue
        answer = fields[answer_at] or None if answer_at is not None else None
        yield RawRow(number, fields[puzzle_at], answer)


def _row(line: str) -> list[str]:
    """RawRow of one line; none where it is no row, as with a field of over 131,072 characters."""
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return []


def place(cell: int, side: int) -> str:
    """Where a cell is, in words, counted from 1."""
    return f"row {cell // side + 1}, column {cell % side + 1}"
