"""Rows from text: tables with a header, JSON lines, and whatever else a task reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from trm_edge.batch.line_source import LineSource, filled_lines, is_quick, open_reading
from trm_edge.batch.rows import entry_rows, text_rows
from trm_edge.batch.source import BLOCK_ROWS, Blocks, Reading, RowSource
from trm_edge.errors import PuzzleError, TrmEdgeError
from trm_edge.json_text import parse_json
from trm_edge.printable import excerpt
from trm_edge.tasks.base import Task
from trm_edge.tasks.blocks import in_blocks
from trm_edge.tasks.dataset import input_files, is_folder
from trm_edge.tasks.entries import BadLine, Entry
from trm_edge.tasks.lines import open_lines, too_long
from trm_edge.tasks.text_formats import (
    ID_COLUMN,
    KNOWN_COLUMNS,
    RawRow,
    TableColumns,
    find_columns,
)

_SEPARATOR = re.compile("[,;\t]")  # between the fields of a header
_LONGEST_NAME = 32  # characters of a column's name
_CELLS = frozenset("xXSGo_")  # letters that puzzles are written with


class CsvSource(LineSource):
    """A table of text with a header, and a column ``id`` or none.

    Args:
        path: of the file, packed with gzip or not.

    Raises:
        PuzzleError: it cannot be read, or no column is of puzzles.
    """

    header_lines = 1

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header = next(self.lines(), (1, ""))[1]
        columns = TableColumns.parse(header)
        if columns is None:
            raise PuzzleError(no_column(self.name, header.split(",")))
        self._columns = columns
        self.has_ids = columns.id is not None

    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the rows below the header.

        Args:
            reading: is told how much of the file was read.

        Raises:
            PuzzleError: the file cannot be read.
        """
        lines = islice(self.lines(reading), self.header_lines, None)
        return _text_blocks(self._columns.rows(lines), has_ids=self.has_ids)


class JsonLinesSource(LineSource):
    """JSON objects, one a line, with a ``puzzle``, and an ``id`` in all of them or in none.

    Args:
        path: of the file, packed with gzip or not.

    Raises:
        PuzzleError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        for row in self._rows():
            if isinstance(row, RawRow):
                self.has_ids = row.id is not None
                break

    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the objects.

        Args:
            reading: is told how much of the file was read.

        Raises:
            PuzzleError: the file cannot be read.
        """
        return _text_blocks(map(self._checked, self._rows(reading)), has_ids=self.has_ids)

    def _rows(self, reading: Reading | None = None) -> Iterator[RawRow | BadLine]:
        for number, line in self.lines(reading):
            yield _json_row(number, line)

    def _checked(self, row: RawRow | BadLine) -> RawRow | BadLine:
        """Refuse an id where the first object has none; a missing one is left empty."""
        if isinstance(row, BadLine):
            return row
        if self.has_ids:
            return replace(row, id=row.id or "")
        if row.id is not None:
            return BadLine(row.line, "has an id, though the first object has none")
        return row


class TaskSource(RowSource):
    """Text in any format of the task, or a dataset folder; rows have no ids of their own.

    Args:
        task: reads it.
        path: of the file or folder.

    Raises:
        PuzzleError: the folder is not one of a dataset.
    """

    def __init__(self, task: Task, path: Path) -> None:
        super().__init__(str(path), _files_of(path))
        self._task = task
        self._path = path

    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the puzzles, and the lines that are none.

        Args:
            reading: is told how much of a file was read.

        Raises:
            PuzzleError: there is nothing to read, or it is damaged.
        """
        first_row = 0
        for entries in in_blocks(self._entries(reading), BLOCK_ROWS):
            yield entry_rows(first_row, entries)
            first_row += len(entries)

    def count(self) -> int | None:
        """Count the rows where the input is not large; None where it is, or cannot be read."""
        if not is_folder(self._path) and not is_quick(self._path):
            return None
        try:
            return sum(1 for _ in self._entries())
        except (OSError, ValueError, TrmEdgeError):
            return None  # whoever reads the rows says why

    def _entries(self, reading: Reading | None = None) -> Iterator[Entry | BadLine]:
        if is_folder(self._path) or self._task.reads_files:
            return self._task.read(self._path)
        return self._task.read_source(open_reading(self._path, reading))


def text_source(task: Task, path: Path) -> RowSource:
    """Tell by its first line what a file of text holds.

    Args:
        task: of the bundle.
        path: of the file, packed with gzip or not.

    Raises:
        PuzzleError: it cannot be read, or is a table without a column of puzzles.
    """
    first = next(filled_lines(open_lines(path)), None)
    if first is None:
        raise PuzzleError(f"{path} does not hold a puzzle.")
    line = first[1].strip()
    if line.startswith("{"):
        return JsonLinesSource(path)
    if TableColumns.parse(line) is not None or _names_columns(line):
        return CsvSource(path)
    return TaskSource(task, path)


def no_column(name: str, columns: Iterable[str]) -> str:
    """Explain that no column of a table is of puzzles.

    Args:
        name: of the source.
        columns: the names there are.
    """
    shown = excerpt(", ".join(column.strip() for column in columns), 200)
    return (
        f"{name} has no column of puzzles: its columns are {shown}. Name the one with the puzzles "
        f"puzzle or question; known are {KNOWN_COLUMNS}."
    )


def _names_columns(line: str) -> bool:
    """Whether a line can only be a header, though not one of a table of puzzles."""
    if too_long(line):
        return False
    fields = _SEPARATOR.split(line)
    words = [field.strip("\"' ") for field in fields]
    return len(words) > 1 and all(_is_name(word) for word in words)


def _is_name(word: str) -> bool:
    return word.isidentifier() and len(word) <= _LONGEST_NAME and not set(word) <= _CELLS


def _text_blocks(rows: Iterable[RawRow | BadLine], *, has_ids: bool) -> Blocks:
    first_row = 0
    for block in in_blocks(rows, BLOCK_ROWS):
        yield text_rows(first_row, block, has_ids=has_ids)
        first_row += len(block)


def _json_row(number: int, line: str) -> RawRow | BadLine:
    problem = too_long(line)
    if problem:
        return BadLine(number, problem)
    try:
        value = parse_json(line)
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"is not JSON: {error}")
    if not isinstance(value, dict):
        return BadLine(number, "is not a JSON object")
    row_id = value.get(ID_COLUMN)
    if isinstance(row_id, int) and not isinstance(row_id, bool):
        row_id = str(row_id)
    if not (row_id is None or isinstance(row_id, str)):
        return BadLine(number, f"id must be text or a whole number, but is {_kind(row_id)}")
    pair = find_columns(value)
    if pair is None:
        keys = excerpt(", ".join(map(str, value)) or "none", 80)
        return BadLine(number, f"has no puzzle; its keys are {keys}", id=row_id or None)
    puzzle, answer = (value.get(key) for key in pair)
    if not isinstance(puzzle, str):
        reason = f"{pair[0]} must be text, but is {_kind(puzzle)}"
        return BadLine(number, reason, id=row_id or None)
    if not (answer is None or isinstance(answer, str)):
        reason = f"{pair[1]} must be text, but is {_kind(answer)}"
        return BadLine(number, reason, id=row_id or None)
    return RawRow(number, puzzle, answer or None, row_id)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    if value is None:
        return "null"
    return kinds.get(type(value), "a number")


def _files_of(path: Path) -> tuple[Path, ...]:
    """The files that a task reads, those of a dataset's names included."""
    if not is_folder(path):
        return (path,)
    files: list[Path] = []
    for inputs in input_files(path):
        prefix = inputs.name.removesuffix("inputs.npy")
        files += sorted(inputs.parent.glob(f"{prefix}*.npy"))
    for folder in dict.fromkeys([path, files[0].parent, files[0].parent.parent]):
        names = folder / "identifiers.json"
        if names.is_file():
            files.append(names)
    return tuple(files)
