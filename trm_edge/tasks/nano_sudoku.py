"""Sudoku as nano-trm writes it: grids of 4, 6 or 9 cells a side in one square canvas.

Ids are 0 pad, 1 end, 2 blank and digit + 2. The grid stands in the upper left corner; where the
canvas is larger, the cell below the grid's first column holds the end (``pad_and_encode`` of its
``sudoku_datamodule.py``). One model may have been trained on several sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from math import isqrt
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split, reference_puzzles
from trm_edge.tasks.augmentation import Augmentation, SizedAugmentation
from trm_edge.tasks.base import AnswerLine, BadLine, Entry, Task
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.sudoku_grid import SYMBOLS
from trm_edge.tasks.text_formats import RawRow, numbered

PAD = 0
END = 1
BLANK = 2
_SIDES = (4, 6, 9)
_SPECIAL = 3  # ids that are no digits
_BUNDLED_SIDE = 9  # of the Sudokus that come with trm-edge
_SHIFT = 1  # ids of a cell here, less those of the task sudoku
_LARGEST_CANVAS = 16  # cells a side; ARC has the same ids and 30
_BETWEEN_FIELDS = re.compile(r"[\t;,:]")
_WAITING_LINES = 100  # lines without a grid, such as a header, before the first one


class NanoSudokuTask(Task):
    """The text of the task sudoku in every size that fits into the canvas, or a dataset folder.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's shape is not that of such a canvas.

    Attributes:
        canvas: cells in a row of the canvas.
    """

    name = "nano-sudoku"
    augmentation_limit = 1 << 31  # as many as one likes

    def __init__(self, config: ModelConfig) -> None:
        sides = _sides_of(config)
        if not sides:
            raise ConfigError(
                "the task nano-sudoku has a square canvas and digits up to 4, 6 or 9 after three "
                f"other ids, but the model has seq_len {config.seq_len} and vocab_size "
                f"{config.vocab_size}. Without --task it is detected."
            )
        super().__init__(config)
        self.canvas = isqrt(config.seq_len)
        self._tasks: dict[int, SudokuTask] = {}
        for side in sides:
            shape = replace(config, seq_len=side * side, vocab_size=side + 2)
            self._tasks[side] = SudokuTask(shape)
        self._largest = max(sides)

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Compare a model's shape with that of a canvas.

        Args:
            config: the model.
        """
        return bool(_sides_of(config)) and isqrt(config.seq_len) <= _LARGEST_CANVAS

    def recognizes(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle is a grid in the canvas, with no digit twice in a unit.

        Args:
            puzzle: one that fits the model.
        """
        side = self._side_of_puzzle(puzzle.tokens)
        if side is None:
            return False
        return self._tasks[side].recognizes(Puzzle(self._grid(puzzle.tokens, side)))

    def is_complete(self, puzzle: Puzzle) -> bool:
        """Tell whether no cell is blank.

        Args:
            puzzle: one that fits the model.
        """
        return not (np.asarray(puzzle.tokens) == BLANK).any()

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse puzzles as the task sudoku does; the size of each follows from its text.

        Args:
            lines: with or without their line ends.
        """
        sized = self._sized(numbered(lines))
        for side, group in groupby(sized, key=itemgetter(0)):
            items = ((number, line) for _, number, line in group)
            for item in self._tasks[side].read_numbered(items):
                yield self._placed(item, side)

    def text(self, tokens: NDArray[Any]) -> str:
        """Write the grid of a canvas as one character a cell, "." for a blank.

        Args:
            tokens: (L,) token ids.
        """
        return self._text(tokens, self._side_of(tokens))

    def answer_text(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str:
        """Write the answer in the size of its puzzle; a model leaves anything around the grid.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.
        """
        return self._text(answer, self._side_of(puzzle))

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw the grid with lines around its boxes.

        Args:
            tokens: (L,) token ids.
            puzzle: (L,) token ids of the puzzle; its digits are bold and the others coloured.
        """
        if puzzle is None:
            side = self._side_of(tokens)
            return self._tasks[side].draw(self._grid(tokens, side))
        side = self._side_of(puzzle)
        return self._tasks[side].draw(self._grid(tokens, side), self._grid(puzzle, side))

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw a step's prediction; cells that changed since the previous one are reversed.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: (L,) token ids of the puzzle.
            previous: (L,) token ids before the step.
        """
        side = self._side_of(puzzle)
        return self._tasks[side].draw_step(
            self._grid(tokens, side), self._grid(puzzle, side), self._grid(previous, side)
        )

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Name the first cell or unit of the grid that breaks the rules or contradicts the puzzle.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids; what stands around the grid does not matter.

        Returns:
            The reason, or None where the answer solves the puzzle.
        """
        side = self._side_of_puzzle(puzzle)
        if side is None:
            return "the puzzle is not a grid in the canvas"
        return self._tasks[side].problem(self._grid(puzzle, side), self._grid(answer, side))

    def augmentations(self, count: int) -> list[SizedAugmentation]:
        """Shuffle grids as the task sudoku does, those of each size by their own rules.

        What stands around a grid stays where it is, and larger digits keep their names.

        Args:
            count: how many, the identity included.
        """
        by_side = {}
        for side, task in self._tasks.items():
            by_side[side] = [self._of_canvas(view, side) for view in task.augmentations(count)]
        augmentations = []
        for number in range(count):
            of_number = {side: views[number] for side, views in by_side.items()}
            augmentations.append(SizedAugmentation(of_number, self._side_of))
        return augmentations

    def bundled_puzzles(self, split: Split) -> Path | None:
        """Find the bundled Sudokus, which are of 9x9, for a model that knows that size.

        Args:
            split: which of them.
        """
        if self._largest != _BUNDLED_SIDE:
            return None
        return reference_puzzles(SudokuTask.name, split, _BUNDLED_SIDE**2)

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture: a digit, or nothing for pad, end and blank."""
        digits = [(symbol, "digit") for symbol in SYMBOLS[: self.config.vocab_size - _SPECIAL]]
        return (*(("", "blank"),) * _SPECIAL, *digits)

    def _read_row(self, row: RawRow) -> Entry | BadLine:
        """Parse a row alone; its size follows from the puzzle, or from its first line."""
        lines = row.puzzle.splitlines() or [""]
        side = self._side_of_line(lines[0]) or self._largest
        (item,) = self._tasks[side].read_rows([row])
        return self._placed(item, side)

    # --- canvas and grid -----------------------------------------------------------------------

    def _placed(self, item: Entry | BadLine, side: int) -> Entry | BadLine:
        """An item of a grid's task, with its tokens in the canvas."""
        if isinstance(item, AnswerLine):
            return replace(item, answer=self._on_canvas(item.answer, side))
        if isinstance(item, BadLine):
            return item
        answer = None if item.answer is None else self._on_canvas(item.answer, side)
        return Entry(Puzzle(self._on_canvas(item.puzzle.tokens, side)), item.line, answer)

    def _on_canvas(self, grid: NDArray[Any], side: int) -> NDArray[np.int32]:
        canvas = np.full((self.canvas, self.canvas), PAD, np.int32)
        canvas[:side, :side] = np.asarray(grid).reshape(side, side) + _SHIFT
        if side < self.canvas:
            canvas[side, 0] = END
        return canvas.ravel()

    def _of_canvas(self, grid: Augmentation, side: int) -> Augmentation:
        """An augmentation of a grid's cells and digits, in the canvas and its ids."""
        corner = np.arange(self.config.seq_len).reshape(self.canvas, self.canvas)
        cells = corner.copy()
        cells[:side, :side] = corner[:side, :side].ravel()[grid.cells].reshape(side, side)
        ids = np.arange(self.config.vocab_size)
        ids[_SHIFT : _SHIFT + len(grid.tokens)] = grid.tokens + _SHIFT
        return Augmentation(cells.ravel(), ids)

    def _grid(self, tokens: NDArray[Any], side: int) -> NDArray[np.int32]:
        """The ids of the task sudoku in the grid's cells; its pad for what is not of a grid."""
        canvas = np.asarray(tokens, np.int32).reshape(self.canvas, self.canvas)
        return np.maximum(canvas[:side, :side] - _SHIFT, 0).ravel()

    def _text(self, tokens: NDArray[Any], side: int) -> str:
        return self._tasks[side].text(self._grid(tokens, side))

    def _side_of_puzzle(self, tokens: NDArray[Any]) -> int | None:
        """The size of the grid in a canvas as a dataset has it; None where it is not one."""
        canvas = np.asarray(tokens, np.int32)
        for side in self._tasks:
            grid = self._grid(canvas, side)
            is_grid = grid.min() > 0 and grid.max() < side + 2
            if is_grid and (self._on_canvas(grid, side) == canvas).all():
                return side
        return None

    def _side_of(self, tokens: NDArray[Any]) -> int:
        """The size of the grid in any canvas: by the end below it, else the largest."""
        side = self._side_of_puzzle(tokens)
        if side is not None:
            return side
        canvas = np.asarray(tokens).reshape(self.canvas, self.canvas)
        for smaller in self._tasks:
            has_end = smaller < self.canvas and canvas[smaller, 0] == END
            if has_end and canvas[:smaller, :smaller].min() >= BLANK:
                return smaller
        return self._largest

    # --- text ----------------------------------------------------------------------------------

    def _sized(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, int, str]]:
        """Lines after the side of their grid; those without one go with the grid before them."""
        side: int | None = None
        waiting: list[tuple[int, str]] = []
        for number, line in lines:
            side = self._side_of_line(line) or side
            if side is None and len(waiting) < _WAITING_LINES:
                waiting.append((number, line))
                continue
            side = side or self._largest
            for early in waiting:
                yield side, *early
            waiting = []
            yield side, number, line
        for early in waiting:
            yield self._largest, *early

    def _side_of_line(self, line: str) -> int | None:
        """The side of the grid that a line holds, or is a row of; None where it shows neither."""
        text = line.strip()
        if not text or text.startswith("#"):
            return None
        fields = [field.strip("\"' ") for field in _BETWEEN_FIELDS.split(text)]
        for side, task in self._tasks.items():
            if any(len(field) == side * side and task.is_cells(field) for field in fields):
                return side
        for side, task in self._tasks.items():
            if task.is_row(text):
                return side
        return None


def _sides_of(config: ModelConfig) -> tuple[int, ...]:
    """Sides of the grids that a model may know; none where its shape is not that of a canvas."""
    canvas = isqrt(config.seq_len)
    digits = config.vocab_size - _SPECIAL
    if canvas * canvas != config.seq_len or digits not in _SIDES or digits > canvas:
        return ()
    return tuple(side for side in _SIDES if side <= digits)
