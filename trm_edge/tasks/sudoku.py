"""Sudoku: 81 cells, ids 0 pad, 1 blank, digit + 1 (upstream ``build_sudoku_dataset.py``)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.solver import Puzzle
from trm_edge.tasks.base import BadLine, Entry, Task

CELLS = 81
_BLANKS = ".0"
# (puzzle, answer) columns of the CSV files that are around.
_COLUMNS = (("puzzle", "solution"), ("question", "answer"), ("quizzes", "solutions"))
_UNITS = np.array(
    [[9 * r + c for c in range(9)] for r in range(9)]
    + [[9 * r + c for r in range(9)] for c in range(9)]
    + [[9 * (3 * (b // 3) + k // 3) + 3 * (b % 3) + k % 3 for k in range(9)] for b in range(9)]
)


class SudokuTask(Task):
    """Lines of 81 characters, CSV with a header, or a dataset folder."""

    name = "sudoku"
    seq_len = CELLS
    vocab_size = 11

    def __init__(self, config: ModelConfig) -> None:
        if (config.seq_len, config.vocab_size) != (self.seq_len, self.vocab_size):
            raise ConfigError(
                f"the task sudoku has {self.seq_len} cells and {self.vocab_size} token ids, but "
                f"the model has seq_len {config.seq_len} and vocab_size {config.vocab_size}."
            )
        super().__init__(config)

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        numbered = ((number, line.strip().lstrip("\ufeff")) for number, line in enumerate(lines, 1))
        kept = ((n, line) for n, line in numbered if line and not line.startswith("#"))
        first = next(kept, None)
        if first is None:
            return
        if any(char.isalpha() for char in first[1]) and "," in first[1]:
            yield from self._read_csv(first, kept)
            return
        for number, line in chain([first], kept):
            # A second field is taken as the answer: "puzzle,solution" with no header.
            cells, _, answer = line.partition(",")
            yield _entry(number, cells, answer or None)

    def _read_csv(
        self, header: tuple[int, str], rows: Iterator[tuple[int, str]]
    ) -> Iterator[Entry | BadLine]:
        names = [name.strip().lower() for name in next(csv.reader([header[1]]))]
        pair = next((pair for pair in _COLUMNS if pair[0] in names), None)
        if pair is None:
            known = " or ".join(",".join(columns) for columns in _COLUMNS)
            yield BadLine(
                header[0],
                f"the header {header[1]!r} names no column of puzzles; expected {known}",
            )
            return
        puzzle_at = names.index(pair[0])
        answer_at = names.index(pair[1]) if pair[1] in names else None
        for number, line in rows:
            fields = next(csv.reader([line]))
            if len(fields) != len(names):
                yield BadLine(number, f"expected {len(names)} fields, but got {len(fields)}")
                continue
            answer = fields[answer_at] if answer_at is not None else None
            yield _entry(number, fields[puzzle_at], answer)

    def text(self, tokens: NDArray[Any]) -> str:
        return "".join(str(t - 1) if 2 <= t <= 10 else "." for t in np.asarray(tokens, int))

    def draw(self, tokens: NDArray[Any], given: NDArray[Any] | None = None) -> str:
        rule = "├───────┼───────┼───────┤"
        lines = ["┌───────┬───────┬───────┐"]
        for row in range(9):
            if row in (3, 6):
                lines.append(rule)
            cells = [self._cell(9 * row + c, tokens, given) for c in range(9)]
            bands = (" ".join(cells[k : k + 3]) for k in (0, 3, 6))
            lines.append("│ " + " │ ".join(bands) + " │")
        return "\n".join([*lines, "└───────┴───────┴───────┘"])

    def _cell(self, cell: int, tokens: NDArray[Any], given: NDArray[Any] | None) -> str:
        char = self.text(tokens[cell : cell + 1])
        if given is None or char == ".":
            return char
        return f"[bold]{char}[/bold]" if given[cell] > 1 else f"[cyan]{char}[/cyan]"

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        cells = np.asarray(answer, int)
        empty = np.flatnonzero((cells < 2) | (cells > 10))
        if len(empty):
            return f"{_place(empty[0])} holds no digit"
        changed = np.flatnonzero((np.asarray(puzzle) > 1) & (np.asarray(puzzle) != cells))
        if len(changed):
            return f"{_place(changed[0])} was given and has been changed"
        for kind, unit in zip(("row", "column", "box"), _UNITS.reshape(3, 9, 9), strict=True):
            for number, members in enumerate(unit, 1):
                digits, counts = np.unique(cells[members], return_counts=True)
                if len(digits) < 9:
                    return f"{kind} {number} holds {digits[counts > 1][0] - 1} twice"
        return None


def _entry(line: int, cells: str, answer: str | None) -> Entry | BadLine:
    tokens = _tokens(cells)
    if isinstance(tokens, str):
        return BadLine(line, tokens)
    clash = _clash(tokens)
    if clash:
        return BadLine(line, clash)
    known = None
    if answer:
        parsed = _tokens(answer)
        if isinstance(parsed, str):
            return BadLine(line, f"answer: {parsed}")
        if (parsed < 2).any():
            return BadLine(line, "answer: holds blanks")
        if ((tokens > 1) & (tokens != parsed)).any():
            return BadLine(line, "answer: contradicts the givens")
        known = parsed
    return Entry(Puzzle(tokens), line, known)


def _tokens(text: str) -> NDArray[np.int32] | str:
    """81 characters as ids, or what is wrong with them."""
    text = text.strip()
    if len(text) != CELLS:
        return f"expected {CELLS} characters, but got {len(text)}"
    for cell, char in enumerate(text):
        if char not in "0123456789.":
            return f"expected digits and '.' or '0' for blanks, but got {char!r} at {cell + 1}"
    return np.array([1 if c in _BLANKS else ord(c) - ord("0") + 1 for c in text], np.int32)


def _clash(tokens: NDArray[np.int32]) -> str | None:
    """Two equal givens in a row, column or box: no answer exists."""
    for kind, unit in zip(("row", "column", "box"), _UNITS.reshape(3, 9, 9), strict=True):
        for number, members in enumerate(unit, 1):
            given = tokens[members][tokens[members] > 1]
            digits, counts = np.unique(given, return_counts=True)
            if (counts > 1).any():
                return f"{kind} {number} is given {digits[counts > 1][0] - 1} twice"
    return None


def _place(cell: int) -> str:
    return f"row {cell // 9 + 1}, column {cell % 9 + 1}"
