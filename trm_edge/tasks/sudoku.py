"""Sudoku: ids 0 pad, 1 blank, digit + 1 (upstream ``build_sudoku_dataset.py``).

The grid follows from the model's shape: 9x9, and 4x4, 6x6 (boxes of two rows), 16x16 and 25x25.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.blocks import BLOCK, CellText
from trm_edge.tasks.sudoku_grid import BLANK, SudokuGrid
from trm_edge.tasks.sudoku_picture import draw_sudoku
from trm_edge.tasks.sudoku_reader import SudokuReader
from trm_edge.tasks.text_formats import RawRow, numbered, place


class SudokuTask(Task):
    """Lines with all cells, grids of several lines, tables, or a dataset folder.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's shape is not that of Sudoku.

    Attributes:
        grid: rows, columns and boxes of the model's size.
    """

    name = "sudoku"
    augmentation_limit = 1 << 31  # as many as one likes

    def __init__(self, config: ModelConfig) -> None:
        side = SudokuGrid.side_of(config.seq_len, config.vocab_size)
        if side is None:
            raise ConfigError(
                "the task sudoku has 81 cells and 11 token ids, but the model has seq_len "
                f"{config.seq_len} and vocab_size {config.vocab_size}. Grids of 4, 6, 16 or 25 "
                "cells a side have side * side cells and side + 2 ids."
            )
        super().__init__(config)
        self.grid = SudokuGrid(side)
        self._reader = SudokuReader(self.grid)
        self._written = CellText(f"..{self.grid.symbols}", other=".")

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Compare a model's shape with that of Sudoku.

        Args:
            config: the model.
        """
        return SudokuGrid.side_of(config.seq_len, config.vocab_size) is not None

    def recognizes(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle can be a Sudoku: no padding, no digit twice in a unit.

        Args:
            puzzle: one that fits the model.
        """
        tokens = np.asarray(puzzle.tokens)
        return bool(tokens.min() >= BLANK) and self.grid.repeated_digit(tokens) is None

    def is_complete(self, puzzle: Puzzle) -> bool:
        """Tell whether no cell is blank.

        Args:
            puzzle: one that fits the model.
        """
        return not (np.asarray(puzzle.tokens) == BLANK).any()

    def is_cells(self, text: str) -> bool:
        """Tell whether text has nothing but characters of cells.

        Args:
            text: of one line.
        """
        return set(text) <= set(self._reader.text.letters)

    def is_row(self, line: str) -> bool:
        """Tell whether a line is a row of a grid of several lines.

        Args:
            line: without the white space around it.
        """
        return self._reader.text.is_row(line)

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse one puzzle a line, grids of several lines, or a table; they may be mixed.

        Empty lines and lines that begin with # are skipped. A solved grid after its puzzle is an
        :class:`AnswerLine`.

        Args:
            lines: with or without their line ends.
        """
        yield from self.read_numbered(numbered(lines))

    def read_ahead(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse as :meth:`read_lines` does, many lines at a time.

        Args:
            lines: with or without their line ends.
        """
        yield from self.read_numbered(numbered(lines), BLOCK)

    def read_numbered(
        self, lines: Iterator[tuple[int, str]], block: int = 1
    ) -> Iterator[Entry | BadLine]:
        """Parse lines as :meth:`read_lines` does, which have their numbers already.

        Args:
            lines: (number, text without its end).
            block: lines that are parsed together.
        """
        yield from self._reader.read(lines, block)

    def read_rows(self, rows: Sequence[RawRow]) -> list[Entry | BadLine]:
        """Parse the rows of a table, each of which is to hold one puzzle.

        Args:
            rows: of any number.
        """
        return self._reader.read_table(rows)

    def text(self, tokens: NDArray[Any]) -> str:
        """Write a grid as one character a cell, "." for a blank.

        Args:
            tokens: token ids of the grid or a part of it.
        """
        return self._written.text(tokens)

    def texts(self, tokens: NDArray[Any]) -> list[str]:
        """Write many grids, each as :meth:`text` does.

        Args:
            tokens: (n, L) token ids.
        """
        return self._written.texts(tokens)

    def answer_texts(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> list[str]:
        """Write many answers, each as :meth:`text` does.

        Args:
            puzzles: (n, L) token ids, which do not matter.
            answers: (n, L) token ids.
        """
        return self.texts(answers)

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw a grid with lines around the boxes.

        Args:
            tokens: (L,) token ids.
            puzzle: (L,) token ids of the puzzle; its digits are bold and the others coloured.
        """
        return draw_sudoku(self.grid, tokens, puzzle)

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw a step's prediction; cells that changed since the previous one are reversed.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: (L,) token ids of the puzzle.
            previous: (L,) token ids before the step.
        """
        return draw_sudoku(self.grid, tokens, puzzle, previous)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Name the first cell or unit that breaks the rules or contradicts the puzzle.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.

        Returns:
            The reason, or None where the answer solves the puzzle.
        """
        clues = np.asarray(puzzle, int)
        cells = np.asarray(answer, int)
        empty = np.flatnonzero((cells <= BLANK) | (cells >= self.grid.vocabulary))
        if len(empty):
            return f"{place(empty[0], self.grid.side)} does not hold a digit"
        changed = np.flatnonzero((clues > BLANK) & (clues != cells))
        if len(changed):
            return f"{place(changed[0], self.grid.side)} was given and has been changed"
        repeated = self.grid.repeated_digit(cells)
        if repeated:
            unit, digit = repeated
            return f"{unit} holds {self.grid.symbols[digit - 1]} twice"
        return None

    def judge(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many answers whether they solve their puzzles, as :meth:`problem` does.

        Args:
            puzzles: (n, L) token ids.
            answers: (n, L) token ids.

        Returns:
            (n,) bool.
        """
        keeps_givens = ((puzzles <= BLANK) | (puzzles == answers)).all(1)
        solves: NDArray[np.bool_] = self.grid.are_solved(answers) & keeps_givens
        return solves

    def augmentations(self, count: int) -> list[Augmentation]:
        """Shuffle as the published trainer augments: digits, bands, rows in them, transposed.

        Args:
            count: how many, the identity included.
        """
        rng = np.random.default_rng(0)
        augmentations = [Augmentation.identity(self.grid.cells, self.grid.vocabulary)]
        while len(augmentations) < count:
            augmentations.append(self.grid.shuffled(rng))
        return augmentations

    @property
    def boxes(self) -> tuple[int, int]:
        """Rows and columns of a box."""
        return self.grid.box_rows, self.grid.box_columns

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture: a digit, or nothing for pad and blank."""
        digits = [(symbol, "digit") for symbol in self.grid.symbols]
        return (("", "blank"), ("", "blank"), *digits)
