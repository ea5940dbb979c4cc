"""Text formats that tasks share: one puzzle a line, or a table with a header."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from trm_edge.tasks.entries import BadLine
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
ID_COLUMN = "id"
KNOWN_COLUMNS = " or ".join(",".join(pair) for pair in _COLUMNS[:3])


@dataclass(frozen=True)
class RawRow:
    """A puzzle as it was written.

    Args:
        line: in the source, from 1.
        puzzle: its text.
        answer: the answer's text, where the source has one.
        id: of the puzzle, where the source is a table with a column of that name.
    """

    line: int
    puzzle: str
    answer: str | None
    id: str | None = None


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table with one puzzle a row.

    Args:
        names: of all columns, in lower case.
        separator: between two fields.
        puzzle: number of the puzzles' column.
        answer: number of the known answers' column, where there is one.
        id: number of the column ``id``, where there is one.
    """

    names: tuple[str, ...]
    separator: str
    puzzle: int
    answer: int | None
    id: int | None

    @classmethod
    def parse(cls, header: str) -> TableColumns | None:
        """Parse the header of a table.

        Args:
            header: the first line.

        Returns:
            The columns; None where none of them is of puzzles.
        """
        separator = _separator(header, _SEPARATORS)
        names = tuple(name.strip().lower() for name in _cells(header, separator))
        pair = find_columns(names)
        if pair is None:
            return None
        places = {name: number for number, name in enumerate(names)}
        puzzle, answer = pair
        return cls(names, separator, places[puzzle], places.get(answer), places.get(ID_COLUMN))

    def rows(self, lines: Iterable[tuple[int, str]]) -> Iterator[RawRow | BadLine]:
        """Split the lines below the header.

        Args:
            lines: numbered.
        """
        for number, line in lines:
            yield self._row(number, line)

    def _row(self, number: int, line: str) -> RawRow | BadLine:
        problem = too_long(line)
        if problem:
            return BadLine(number, problem)
        cells = _cells(line, self.separator)
        if len(cells) != len(self.names):
            return BadLine(number, f"expected {len(self.names)} fields, but got {len(cells)}")
        answer = None
        if self.answer is not None:
            answer = cells[self.answer] or None
        row_id = None
        if self.id is not None:
            row_id = cells[self.id]
        return RawRow(number, cells[self.puzzle], answer, row_id)


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
    number, line = header
    columns = TableColumns.parse(line)
    if columns is None:
        shown = line if len(line) <= 80 else f"{line[:80]}..."
        yield BadLine(
            number,
            f"the header {shown!r} does not name a column of puzzles; expected {KNOWN_COLUMNS}",
        )
        return
    yield from columns.rows(rows)


def find_columns(names: Collection[str]) -> tuple[str, str] | None:
    """Find the column of puzzles by its name.

    Args:
        names: of all columns, in lower case.

    Returns:
        Its name, and the name that the column of known answers would have; None where there is no
        column of puzzles.

    >>> find_columns(["rating", "question"])
    ('question', 'answer')
    """
    for puzzle, answer in _COLUMNS:
        if puzzle in names:
            return puzzle, answer
    return None


def _cells(line: str, separator: str) -> list[str]:
    """Split a line of CSV; [] where csv cannot, as with a field of over 131,072 characters."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []
