"""Sudoku: 81 cells, ids 0 pad, 1 blank, digit + 1 (upstream ``build_sudoku_dataset.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.text_formats import RawRow, numbered, place, read_fields

SIDE = 9
CELLS = SIDE * SIDE
PAD = 0
BLANK = 1
VOCABULARY = 11
_BLANKS = ".0"
_UNIT_NAMES = ("row", "column", "box")


def _units() -> NDArray[np.int64]:
    """Cells (3, 9, 9) of the nine rows, the nine columns and the nine boxes."""
    grid = np.arange(CELLS).reshape(SIDE, SIDE)
    boxes = grid.reshape(3, 3, 3, 3).swapaxes(1, 2).reshape(SIDE, SIDE)
    return np.stack([grid, grid.T, boxes])


_UNITS = _units()


class SudokuTask(Task):
    """Lines of 81 characters, CSV with a header, or a dataset folder.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's shape is not that of Sudoku.
    """

    name = "sudoku"

    def __init__(self, config: ModelConfig) -> None:
        if not self.fits(config):
            raise ConfigError(
                f"the task sudoku has {CELLS} cells and {VOCABULARY} token ids, but the model has "
                f"seq_len {config.seq_len} and vocab_size {config.vocab_size}."
            )
        super().__init__(config)

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Compare a model's shape with that of Sudoku.

        Args:
            config: the model.
        """
        return config.seq_len == CELLS and config.vocab_size == VOCABULARY

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse one puzzle a line or a table; empty lines and lines beginning with # are skipped.

        Args:
            lines: with or without their line ends.
        """
        for row in read_fields(_content(lines)):
            if isinstance(row, BadLine):
                yield row
                continue
            try:
                yield _entry(row)
            except PuzzleError as error:
                yield BadLine(row.line, str(error))

    def text(self, tokens: NDArray[Any]) -> str:
        """Write a grid as 81 characters, "." for a blank.

        Args:
            tokens: token ids of the grid or a part of it.
        """
        characters = []
        for token in np.asarray(tokens, int):
            is_digit = BLANK < token < VOCABULARY
            character = str(token - 1) if is_digit else "."
            characters.append(character)
        return "".join(characters)

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw a grid with lines around the boxes.

        Args:
            tokens: (81,) token ids.
            puzzle: (81,) token ids of the puzzle; its digits are bold and the others coloured.
        """
        lines = ["┌───────┬───────┬───────┐"]
        for row in range(SIDE):
            if row in (3, 6):
                lines.append("├───────┼───────┼───────┤")
            cells = [self._cell(SIDE * row + column, tokens, puzzle) for column in range(SIDE)]
            bands = [" ".join(cells[start : start + 3]) for start in (0, 3, 6)]
            lines.append(f"│ {' │ '.join(bands)} │")
        lines.append("└───────┴───────┴───────┘")
        return "\n".join(lines)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Name the first cell or unit that breaks the rules or contradicts the puzzle.

        Args:
            puzzle: (81,) token ids.
            answer: (81,) token ids.

        Returns:
            The reason, or None where the answer solves the puzzle.
        """
        clues = np.asarray(puzzle, int)
        cells = np.asarray(answer, int)
        empty = np.flatnonzero((cells <= BLANK) | (cells >= VOCABULARY))
        if len(empty):
            return f"{place(empty[0], SIDE)} does not hold a digit"
        changed = np.flatnonzero((clues > BLANK) & (clues != cells))
        if len(changed):
            return f"{place(changed[0], SIDE)} was given and has been changed"
        repeated = _repeated_digit(cells)
        if repeated:
            unit, digit = repeated
            return f"{unit} holds {digit} twice"
        return None

    def augmentations(self, count: int) -> list[Augmentation]:
        """Shuffle as the published trainer augments: digits, bands, rows in them, transposed.

        Args:
            count: how many, the identity included.
        """
        rng = np.random.default_rng(0)
        augmentations = [Augmentation.identity(CELLS, VOCABULARY)]
        while len(augmentations) < count:
            augmentations.append(_shuffled(rng))
        return augmentations

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture: a digit, or nothing for pad and blank."""
        digits = [(str(digit), "digit") for digit in range(1, SIDE + 1)]
        return (("", "blank"), ("", "blank"), *digits)

    def _cell(self, cell: int, tokens: NDArray[Any], puzzle: NDArray[Any] | None) -> str:
        character = self.text(tokens[cell : cell + 1])
        if puzzle is None or character == ".":
            return character
        style = "bold" if puzzle[cell] > BLANK else "cyan"
        return f"[{style}]{character}[/{style}]"


def _content(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Numbered lines without the empty ones and the comments."""
    for number, line in numbered(lines):
        content = line.strip()
        if content and not content.startswith("#"):
            yield number, content


def _entry(row: RawRow) -> Entry:
    """Parse a puzzle and its answer.

    Raises:
        PuzzleError: says what is wrong with them.
    """
    tokens = _tokens(row.puzzle)
    repeated = _repeated_digit(tokens)
    if repeated:
        unit, digit = repeated
        raise PuzzleError(f"{unit} is given {digit} twice")
    answer = _answer(row.answer, tokens) if row.answer else None
    return Entry(Puzzle(tokens), row.line, answer)


def _answer(text: str, puzzle: NDArray[np.int32]) -> NDArray[np.int32]:
    try:
        answer = _tokens(text)
    except PuzzleError as error:
        raise PuzzleError(f"answer: {error}") from error
    if (answer == BLANK).any():
        raise PuzzleError("answer: holds blanks")
    if ((puzzle > BLANK) & (puzzle != answer)).any():
        raise PuzzleError("answer: contradicts the givens")
    return answer


def _tokens(text: str) -> NDArray[np.int32]:
    """Turn 81 characters into ids.

    Raises:
        PuzzleError: says what is wrong with them.
    """
    text = text.strip()
    if len(text) != CELLS:
        raise PuzzleError(f"expected {CELLS} characters, but got {len(text)}")
    tokens = []
    for cell, character in enumerate(text):
        if character in _BLANKS:
            tokens.append(BLANK)
        elif character in "123456789":
            tokens.append(int(character) + 1)
        else:
            raise PuzzleError(
                f"expected digits and '.' or '0' for blanks, but got {character!r} at "
                f"{place(cell, SIDE)}"
            )
    return np.array(tokens, np.int32)


def _repeated_digit(cells: NDArray[Any]) -> tuple[str, int] | None:
    """Find a row, column or box that holds a digit twice, and the digit."""
    for kind, units in zip(_UNIT_NAMES, _UNITS, strict=True):
        for number, members in enumerate(units, 1):
            digits = cells[members]
            values, counts = np.unique(digits[digits > BLANK], return_counts=True)
            if (counts > 1).any():
                return f"{kind} {number}", int(values[counts > 1][0]) - 1
    return None


def _shuffled(rng: np.random.Generator) -> Augmentation:
    digits = np.concatenate([[PAD, BLANK], 2 + rng.permutation(SIDE)])
    rows = _shuffled_lines(rng)
    columns = _shuffled_lines(rng)
    cells = SIDE * rows[:, None] + columns
    if rng.integers(2):
        cells = cells.T
    return Augmentation(cells.ravel().copy(), digits)


def _shuffled_lines(rng: np.random.Generator) -> NDArray[np.int64]:
    """Shuffle the three bands of rows or columns, and the three lines in each."""
    bands = [3 * band + rng.permutation(3) for band in rng.permutation(3)]
    return np.concatenate(bands)
