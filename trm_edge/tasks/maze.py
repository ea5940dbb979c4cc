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
from trm_edge.tasks.grid_paths import SquareGrid
from trm_edge.tasks.lines import too_long
from trm_edge.tasks.text_formats import RawRow, is_header, numbered, place, read_fields

PAD, WALL, OPEN, START, GOAL, WAY = range(6)
CHARACTERS = "?#.SGo"  # by id; there is no text for padding
_IDS = {" ": OPEN, "#": WALL, ".": OPEN, "S": START, "G": GOAL, "o": WAY}
_PUZZLE_CHARACTERS = "#. SG"
_ANSWER_CHARACTERS = "#. SGo"
_NAMES = ("padding", "a wall", "open", "the start", "the goal", "the path")
_GLYPHS = "•╹╻┃╸┛┓┫╺┗┏┣━┻┳╋"  # of the path, by its neighbours: 1 up, 2 down, 4 left, 8 right
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
        self._grid = SquareGrid(self.side)

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
        previous: Entry | None = None
        rows = read_fields(self._with_pictures_joined(numbered(lines)), letters="SGo")
        for row in rows:
            item = row if isinstance(row, BadLine) else self._item(row, previous)
            yield item
            previous = item if isinstance(item, Entry) else None

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
        return "".join(CHARACTERS[token] for token in np.asarray(tokens, int))

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw a maze, two characters a cell so that cells look square, and the path as a line.

        Args:
            tokens: (L,) token ids.
            puzzle: (L,) token ids of the puzzle; cells that differ from it are coloured.
        """
        return self._drawn(tokens, puzzle, None)

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw a step's prediction; cells that changed since the previous one are reversed.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: (L,) token ids of the puzzle.
            previous: (L,) token ids before the step.
        """
        return self._drawn(tokens, puzzle, previous)

    def _drawn(
        self, tokens: NDArray[Any], puzzle: NDArray[Any] | None, previous: NDArray[Any] | None
    ) -> str:
        ids = np.asarray(tokens, int).tolist()
        edge = "─" * 2 * self.side
        lines = [f"┌{edge}┐"]
        for first in range(0, self.cells, self.side):
            row = []
            for cell in range(first, first + self.side):
                picture = self._cell(cell, ids, puzzle)
                if previous is not None and previous[cell] != tokens[cell]:
                    picture = f"[reverse]{picture}[/reverse]"
                row.append(picture)
            lines.append(f"│{''.join(row)}│")
        lines.append(f"└{edge}┘")
        return "\n".join(lines)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Explain why the marked cells are not one shortest path, or what else was changed.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.

        Returns:
            The reason, or None where the answer solves the puzzle.
        """
        maze = np.asarray(puzzle, int)
        cells = np.asarray(answer, int)
        return (
            self._problem_of_puzzle(maze)
            or _change(maze, cells, self.side)
            or self._problem_of_path(cells)
        )

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

    def _with_pictures_joined(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Skip empty lines, and join the rows of a picture to one item with line breaks in it."""
        rows: list[str] = []
        top = 0
        is_first = True
        for number, line in lines:
            if is_first and line.strip():
                is_first = False
                if is_header(line, "SGo"):
                    yield number, line
                    continue
            if self._is_row(line):
                top = top if rows else number
                if len(rows) < self.side + 3:  # with the frame, one more than there may be
                    rows.append(line)
                continue
            if rows:
                yield top, "\n".join(rows)
                rows = []
            if line.strip():
                yield number, line
        if rows:
            yield top, "\n".join(rows)

    def _is_row(self, line: str) -> bool:
        """Tell a row of a picture from a line with all cells, by its length."""
        if too_long(line):
            return False
        if not line.strip():
            return len(line) == self.side  # a row of open cells, not an empty line
        return line[0] in "┌│└" or ("," not in line and 2 * len(line) <= self.cells)

    def _item(self, row: RawRow, previous: Entry | None) -> Entry | BadLine:
        """Parse a puzzle and its answer, or the answer to the puzzle before it."""
        try:
            return self._entry(row)
        except PuzzleError as error:
            problem = str(error)
        if previous is not None and previous.answer is None and row.answer is None:
            try:
                answer = self._answer(self._unfolded(row.puzzle), previous.puzzle.tokens)
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
        tokens = self._tokens(self._unfolded(row.puzzle), _PUZZLE_CHARACTERS)
        problem = self._problem_of_puzzle(tokens)
        if problem:
            raise PuzzleError(problem)
        answer = None if row.answer is None else self._answer(row.answer, tokens)
        return Entry(Puzzle(tokens), row.line, answer)

    def _answer(self, text: str, puzzle: NDArray[np.int32]) -> NDArray[np.int32]:
        if "." not in text:
            # Restore spaces that were cut off; a wall that was cut off shows against the puzzle.
            text = text.ljust(self.cells)
        try:
            answer = self._tokens(text, _ANSWER_CHARACTERS)
        except PuzzleError as error:
            raise PuzzleError(f"answer: {error}") from error
        change = _change(puzzle, answer, self.side)
        if change:
            raise PuzzleError(f"answer: {change}")
        return answer

    def _unfolded(self, text: str) -> str:
        """Return the characters of all cells, from a line or a picture."""
        if not self._is_row(text.partition("\n")[0]):
            return text
        rows = []
        for row in text.split("\n"):
            if row[:1] not in ("┌", "└"):
                rows.append(_undrawn(row))
        if len(rows) != self.side:
            count = str(len(rows)) if len(rows) < self.side else "more"
            noun = "row" if count == "1" else "rows"
            raise PuzzleError(
                f"expected {self.side} rows of {self.side} characters, or {self.cells} characters "
                f"in one line, but got {count} {noun}"
            )
        if "." not in text and max(map(len, rows)) == self.side:
            rows = [row.ljust(self.side) for row in rows]  # spaces that an editor cut off
        for number, row in enumerate(rows, 1):
            if len(row) != self.side:
                raise PuzzleError(
                    f"expected {self.side} characters in row {number}, but got {len(row)}"
                )
        return "".join(rows)

    def _tokens(self, text: str, characters: str) -> NDArray[np.int32]:
        if len(text) != self.cells:
            hint = ""
            if " " in text and "." not in text and len(text) < self.cells:
                hint = ". Write '.' for open cells: an editor may have cut off spaces"
            raise PuzzleError(f"expected {self.cells} characters, but got {len(text)}{hint}")
        for cell, character in enumerate(text):
            if character not in characters:
                path = ", 'o'" if "o" in characters else ""
                raise PuzzleError(
                    f"expected '#', '.' or ' ', 'S', 'G'{path}, but got {character!r} at "
                    f"{place(cell, self.side)}"
                )
        return np.array([_IDS[character] for character in text], np.int32)

    # --- judgement -----------------------------------------------------------------------------

    def _problem_of_puzzle(self, maze: NDArray[Any]) -> str | None:
        """Explain why nobody could solve a maze."""
        starts = int((maze == START).sum())
        goals = int((maze == GOAL).sum())
        if (starts, goals) != (1, 1):
            return f"expected one S and one G, but got {starts} and {goals}"
        if self._shortest_path(maze) is None:
            return "there is no path from S to G"
        return None

    def _problem_of_path(self, cells: NDArray[Any]) -> str | None:
        """Explain why the marked cells of a maze are not one shortest path."""
        start = int(np.argmax(cells == START))
        goal = int(np.argmax(cells == GOAL))
        length = self._grid.path_length(np.flatnonzero(cells == WAY), start, goal)
        if isinstance(length, str):
            return length
        shortest = self._shortest_path(cells)
        if length != shortest:
            return f"the path takes {length} steps, but {shortest} are enough"
        return None

    def _shortest_path(self, cells: NDArray[Any]) -> int | None:
        start = int(np.argmax(cells == START))
        goal = int(np.argmax(cells == GOAL))
        return self._grid.shortest_path(cells > WALL, start, goal)

    # --- drawing -------------------------------------------------------------------------------

    def _cell(self, cell: int, tokens: Sequence[int], puzzle: NDArray[Any] | None) -> str:
        token = tokens[cell]
        linked = []
        for neighbour in self._grid.neighbours[cell]:
            if _linked(token, tokens[neighbour]):
                linked.append(neighbour)
        link = "[cyan]━[/cyan]" if cell + 1 in linked else " "
        if token == WAY:
            sides = 0
            for bit, step in enumerate((-self.side, self.side, -1, 1)):
                if cell + step in linked:
                    sides |= 1 << bit
            return f"[cyan]{_GLYPHS[sides]}[/cyan]{link}"
        if token in (START, GOAL):
            picture = f"[bold]{CHARACTERS[token]}[/bold]{link}"
        else:
            picture = {PAD: "??", WALL: "██", OPEN: "  "}[token]
        if puzzle is None or puzzle[cell] == token:
            return picture
        return f"[cyan]{picture}[/cyan]"


def _undrawn(row: str) -> str:
    """Turn a row as ``draw`` writes it into one character a cell; leave any other as it is."""
    if not row.startswith("│"):
        return row
    return row.rstrip().strip("│")[::2].replace("█", "#")


def _change(puzzle: NDArray[Any], answer: NDArray[Any], side: int) -> str | None:
    """Find where an answer does more than mark open cells."""
    marked = (puzzle == OPEN) & (answer == WAY)
    changed = np.flatnonzero((puzzle != answer) & ~marked)
    if not len(changed):
        return None
    cell = changed[0]
    return f"{place(cell, side)} was {_NAMES[puzzle[cell]]} and is now {_NAMES[answer[cell]]}"


def _linked(token: int, neighbour: int) -> bool:
    """Tell whether a path runs from a cell to the next, by their tokens."""
    return min(token, neighbour) >= START and WAY in (token, neighbour)
