"""Square mazes: ids 0 pad, then ``# SGo`` from 1 (upstream ``build_maze_dataset.py``).

An answer marks the cells of a shortest path between S and G with o. Text may have ``.`` in place of
the published space for an open cell, and is written with it: editors cut spaces at line ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation, squares
from trm_edge.tasks.base import AnswerLine, BadLine, Entry, Task
from trm_edge.tasks.blocks import BLOCK
from trm_edge.tasks.maze_cells import (
    ANSWER_CHARACTERS,
    ANSWER_TABLE,
    CHARACTERS,
    GOAL,
    PAD,
    PUZZLE_CHARACTERS,
    PUZZLE_TABLE,
    START,
    WAY,
    WRITTEN,
)
from trm_edge.tasks.maze_distance import LARGEST_SIDE
from trm_edge.tasks.maze_picture import draw_maze
from trm_edge.tasks.maze_rules import MazeRules, find_change, only_marks
from trm_edge.tasks.maze_text import MazeText
from trm_edge.tasks.plain_rows import (
    Rows,
    parse_cells,
    plain_entries,
    read_rows,
    read_table_rows,
)
from trm_edge.tasks.text_formats import RawRow, numbered, read_fields

_LOOKS = (("?", "pad"), ("", "wall"), ("", "open"), ("S", "end"), ("G", "end"), ("", "way"))


class MazeTask(Task):
    """Mazes one a line, as pictures with an empty line between, CSV, or a dataset folder.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's shape is not that of a maze.

    Attributes:
        side: cells in a row.
        cells: L, cells of a maze.
    """

    name = "maze"
    augmentation_limit = 8

    def __init__(self, config: ModelConfig) -> None:
        if not self.fits(config):
            raise ConfigError(
                f"the task maze has a square of cells and {len(CHARACTERS)} token ids, but the "
                f"model has seq_len {config.seq_len} and vocab_size {config.vocab_size}."
            )
        super().__init__(config)
        self.cells = config.seq_len
        self.side = isqrt(config.seq_len)
        self._rules = MazeRules(self.side)
        self._text = MazeText(self.side)

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Compare a model's shape with that of a maze; a single cell cannot hold both S and G.

        Args:
            config: the model.
        """
        side = isqrt(config.seq_len)
        is_square = config.seq_len == side**2 and side > 1
        return is_square and config.vocab_size == len(CHARACTERS)

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse mazes in any of the formats; they may be mixed.

        A maze with its path marked, after the same maze without, is an :class:`AnswerLine`.

        Args:
            lines: with or without their line ends.
        """
        yield from self._read(lines, 1)

    def read_ahead(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse as :meth:`read_lines` does, many lines at a time.

        Args:
            lines: with or without their line ends.
        """
        yield from self._read(lines, BLOCK)

    def read_rows(self, rows: Sequence[RawRow]) -> list[Entry | BadLine]:
        """Parse the rows of a table, each of which is to hold one puzzle.

        Args:
            rows: of any number.
        """
        return read_table_rows(rows, self._plain_entries, self._item, self._text.joined)

    def _read(self, lines: Iterable[str], block: int) -> Iterator[Entry | BadLine]:
        fields = read_fields(self._text.joined(numbered(lines)), letters="SGo")
        yield from read_rows(fields, block, self._plain_entries, self._item)

    def recognizes(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle can be a maze: one start, one goal, no padding and no path.

        Args:
            puzzle: one that fits the model.
        """
        counts = np.bincount(np.asarray(puzzle.tokens), minlength=len(CHARACTERS))
        return [int(counts[token]) for token in (PAD, START, GOAL, WAY)] == [0, 1, 1, 0]

    def text(self, tokens: NDArray[Any]) -> str:
        """Write a maze as one line, one character a cell.

        Args:
            tokens: (L,) token ids.
        """
        return WRITTEN.text(tokens)

    def texts(self, tokens: NDArray[Any]) -> list[str]:
        """Write many grids, each as :meth:`text` does.

        Args:
            tokens: (n, L) token ids.
        """
        return WRITTEN.texts(tokens)

    def answer_texts(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> list[str]:
        """Write many answers, each as :meth:`text` does.

        Args:
            puzzles: (n, L) token ids, which do not matter.
            answers: (n, L) token ids.
        """
        return self.texts(answers)

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw a maze, two characters a cell so that cells look square, and the path as a line.

        Args:
            tokens: (L,) token ids.
            puzzle: (L,) token ids of the puzzle; cells that differ from it are coloured.
        """
        return draw_maze(self.side, tokens, puzzle)

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw a step's prediction; cells that changed since the previous one are reversed.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: (L,) token ids of the puzzle.
            previous: (L,) token ids before the step.
        """
        return draw_maze(self.side, tokens, puzzle, previous)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Explain why the marked cells are not one shortest path, or what else was changed.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.

        Returns:
            The reason, or None where the answer solves the puzzle.
        """
        return self._rules.problem(np.asarray(puzzle, int), np.asarray(answer, int))

    def judge(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many answers whether they solve their puzzles, as :meth:`problem` does.

        Args:
            puzzles: (n, L) token ids.
            answers: (n, L) token ids.

        Returns:
            (n,) bool.
        """
        if self.side > LARGEST_SIDE:
            return super().judge(puzzles, answers)
        return self._rules.judge(puzzles, answers)

    def augmentations(self, count: int) -> list[Augmentation]:
        """Rotate and reflect the maze.

        Args:
            count: how many, the identity included.

        Raises:
            ConfigError: more than eight.
        """
        augmentations = squares(self.side, len(CHARACTERS))
        if count > len(augmentations):
            raise ConfigError(
                f"a maze has {len(augmentations)} augmentations, but {count} were asked for. More "
                "tries can differ by noise, too (--explore forms,noise)."
            )
        return augmentations[:count]

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture; walls and paths are shapes without text."""
        return _LOOKS

    # --- text to tokens ------------------------------------------------------------------------

    def _plain_entries(self, rows: Rows) -> dict[int, Entry]:
        """The entries of rows in the usual form, by their place."""
        if self.side > LARGEST_SIDE:
            return {}
        parsed = parse_cells(rows, PUZZLE_TABLE, ANSWER_TABLE, self.cells)
        mazes = parsed.puzzles
        are_plain = parsed.are_plain.copy()
        searched = np.flatnonzero(are_plain)
        are_plain[searched] = self._rules.are_solvable(mazes[searched])
        plain = parsed._replace(
            are_plain=are_plain,
            have_answers=parsed.have_answers & only_marks(mazes, parsed.answers),
        )
        return plain_entries(rows, plain)

    def _item(self, row: RawRow, previous: Entry | None) -> Entry | BadLine:
        """Parse a puzzle and its answer, or the answer to the puzzle before it."""
        try:
            return self._entry(row)
        except PuzzleError as error:
            problem = str(error)
        if previous is not None and previous.answer is None and row.answer is None:
            try:
                answer = self._answer(self._text.unfolded(row.puzzle), previous.puzzle.tokens)
            except PuzzleError:
                return BadLine(row.line, problem)
            return AnswerLine(
                row.line, f"is the answer to the puzzle of line {previous.line}", answer
            )
        return BadLine(row.line, problem)

    def _entry(self, row: RawRow) -> Entry:
        """Parse a puzzle and its answer.

        Raises:
            PuzzleError: says what is wrong with them.
        """
        tokens = self._text.tokens(self._text.unfolded(row.puzzle), PUZZLE_CHARACTERS)
        problem = self._rules.problem_of_puzzle(tokens)
        if problem:
            raise PuzzleError(problem)
        answer = None if row.answer is None else self._answer(row.answer, tokens)
        return Entry(Puzzle(tokens), row.line, answer)

    def _answer(self, text: str, puzzle: NDArray[np.int32]) -> NDArray[np.int32]:
        if "." not in text:
            # Restore spaces that were cut off; a wall that was cut off shows against the puzzle.
            text = text.ljust(self.cells)
        try:
            answer = self._text.tokens(text, ANSWER_CHARACTERS)
        except PuzzleError as error:
            raise PuzzleError(f"answer: {error}") from error
        change = find_change(puzzle, answer, self.side)
        if change:
            raise PuzzleError(f"answer: {change}")
        return answer
