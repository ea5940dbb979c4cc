"""Rows in the usual form, parsed many at a time; the others are looked at one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.puzzle import Puzzle
from trm_edge.tasks.blocks import CellTable, in_blocks
from trm_edge.tasks.entries import BadLine, Entry
from trm_edge.tasks.lines import too_long
from trm_edge.tasks.text_formats import RawRow, numbered

Rows = Sequence[RawRow | BadLine]


class ParsedRows(NamedTuple):
    """The cells of rows.

    Args:
        puzzles: (n, L) int32 token ids.
        are_plain: (n,) bool; the puzzles of other rows mean nothing.
        answers: (n, L) int32 token ids.
        have_answers: (n,) bool; the answers of other rows mean nothing.
        are_asked: (n,) bool, rows that name an answer.
    """

    puzzles: NDArray[np.int32]
    are_plain: NDArray[np.bool_]
    answers: NDArray[np.int32]
    have_answers: NDArray[np.bool_]
    are_asked: NDArray[np.bool_]


def parse_cells(rows: Rows, table: CellTable, answer_table: CellTable, cells: int) -> ParsedRows:
    """Look up the cells of all rows.

    Args:
        rows: of a source; bad lines are not plain.
        table: ids of the characters of puzzles.
        answer_table: ids of the characters of answers.
        cells: L, characters of a puzzle.
    """
    puzzles: list[str | None] = []
    answers: list[str | None] = []
    for row in rows:
        puzzles.append(row.puzzle if isinstance(row, RawRow) else None)
        answers.append(row.answer if isinstance(row, RawRow) else None)
    tokens, are_plain = table.tokens(puzzles, cells)
    answer_tokens, have_answers = answer_table.tokens(answers, cells)
    are_asked = np.array([answer is not None for answer in answers], np.bool_)
    return ParsedRows(tokens, are_plain, answer_tokens, have_answers, are_asked)


def plain_entries(rows: Rows, parsed: ParsedRows) -> dict[int, Entry]:
    """Return the entries of plain rows, by their place.

    Args:
        rows: as they were parsed.
        parsed: their cells; rows that break a rule of the task are marked as not plain.
    """
    usable = parsed.are_plain & (parsed.have_answers | ~parsed.are_asked)
    entries = {}
    for place in np.flatnonzero(usable).tolist():
        answer = parsed.answers[place] if parsed.are_asked[place] else None
        entries[place] = Entry(Puzzle(parsed.puzzles[place]), rows[place].line, answer)
    return entries


def read_rows(
    fields: Iterable[RawRow | BadLine],
    block: int,
    plain: Callable[[Rows], dict[int, Entry]],
    item: Callable[[RawRow, Entry | None], Entry | BadLine],
) -> Iterator[Entry | BadLine]:
    """Parse rows in order.

    Args:
        fields: the rows.
        block: rows that are read before the first of them is handed out.
        plain: parses those in the usual form.
        item: parses one of the others; it takes the entry before it, where there is one.
    """
    previous: Entry | None = None
    for rows in in_blocks(fields, block):
        entries = plain(rows) if len(rows) > 1 else {}
        for place, row in enumerate(rows):
            parsed: Entry | BadLine | None = entries.get(place)
            if parsed is None:
                parsed = row if isinstance(row, BadLine) else item(row, previous)
            yield parsed
            previous = parsed if isinstance(parsed, Entry) else None


def read_table_rows(
    rows: Sequence[RawRow],
    plain: Callable[[Rows], dict[int, Entry]],
    item: Callable[[RawRow, Entry | None], Entry | BadLine],
    joined: Callable[[Iterator[tuple[int, str]]], Iterable[tuple[int, str]]],
) -> list[Entry | BadLine]:
    """Parse the rows of a table, none of which depends on the row before it.

    Args:
        rows: each with one puzzle.
        plain: parses those in the usual form.
        item: parses one of the others.
        joined: joins the lines of a picture to one item.
    """
    entries = plain(rows)
    parsed: list[Entry | BadLine] = []
    for number, row in enumerate(rows):
        entry = entries.get(number)
        parsed.append(entry or _read_other_row(row, item, joined))
    return parsed


def _read_other_row(
    row: RawRow,
    item: Callable[[RawRow, Entry | None], Entry | BadLine],
    joined: Callable[[Iterator[tuple[int, str]]], Iterable[tuple[int, str]]],
) -> Entry | BadLine:
    problem = too_long(row.puzzle)
    if problem:
        return BadLine(row.line, problem)
    if "\n" not in row.puzzle:
        return item(row, None)
    texts = [text for _, text in joined(numbered(row.puzzle.splitlines()))]
    if len(texts) != 1:
        return BadLine(row.line, f"expected one puzzle, but got {len(texts) or 'none'}")
    return item(replace(row, puzzle=texts[0]), None)
