"""Sudoku: 81 cells, ids 0 pad, 1 blank, digit + 1 (upstream ``build_sudoku_dataset.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.text_formats import RawRow, numbered, place, read_fields

CELLS = 81
_BLANKS = ".0"
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
        stripped = ((number, line.strip()) for number, line in numbered(lines))
        kept = ((n, line) for n, line in stripped if line and not line.startswith("#"))
        for item in read_fields(kept):
            yield item if isinstance(item, BadLine) else _entry(item)

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
            return f"{place(empty[0], 9)} holds no digit"
        changed = np.flatnonzero((np.asarray(puzzle) > 1) & (np.asarray(puzzle) != cells))
        if len(changed):
            return f"{place(changed[0], 9)} was given and has been changed"
        for kind, unit in zip(("row", "column", "box"), _UNITS.reshape(3, 9, 9), strict=True):
            for number, members in enumerate(unit, 1):
                digits, counts = np.unique(cells[members], return_counts=True)
                if len(digits) < 9:
                    return f"{kind} {number} holds {digits[counts > 1][0] - 1} twice"
        return None

    def looks(self) -> tuple[tuple[str, str], ...]:
        digits = ((str(digit), "digit") for digit in range(1, 10))
        return (("", "blank"), ("", "blank"), *digits)

    def augmentations(self, count: int) -> list[Augmentation]:
        """Shuffled as the published trainer augments: digits, bands, rows in them, transposed."""
        rng = np.random.default_rng(0)
        shuffled = [_shuffled(rng) for _ in range(count - 1)]
        return [Augmentation.identity(self.seq_len, self.vocab_size), *shuffled]


def _shuffled(rng: np.random.Generator) -> Augmentation:
    digits = np.concatenate([[0, 1], 2 + rng.permutation(9)])
    rows, columns = (
        np.concatenate([3 * band + rng.permutation(3) for band in rng.permutation(3)])
        for _ in range(2)
    )
    cells = 9 * rows[:, None] + columns
    return Augmentation((cells.T if rng.integers(2) else cells).ravel().copy(), digits)


def _entry(fields: RawRow) -> Entry | BadLine:
    line = fields.line
    tokens = _tokens(fields.puzzle)
    if isinstance(tokens, str):
        return BadLine(line, tokens)
    clash = _clash(tokens)
    if clash:
        return BadLine(line, clash)
    known = None
    if fields.answer:
        parsed = _tokens(fields.answer)
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
