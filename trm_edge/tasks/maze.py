"""Square mazes: ids 0 pad, then ``# SGo`` from 1 (upstream ``build_maze_dataset.py``).

An answer marks the cells between S and G with o. Text has ``.`` beside the published space for an
open cell, and writes it: editors cut spaces at the end of a line.
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
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.text_formats import RawRow, numbered, place, read_fields

PAD, WALL, OPEN, START, GOAL, WAY = range(6)
CHARACTERS = "?#.SGo"  # by id; there is no text for padding
_IDS = {char: token for token, char in enumerate(CHARACTERS) if token != PAD} | {" ": OPEN}
_GIVEN = "#. SG"
_NAMES = ("padding", "a wall", "open", "the start", "the goal", "the way")
_GLYPHS = "•╹╻┃╸┛┓┫╺┗┏┣━┻┳╋"  # of the way, by its neighbours: 1 up, 2 down, 4 left, 8 right


class MazeTask(Task):
    """Mazes one a line, as pictures with an empty line between, CSV, or a dataset folder."""

    name = "maze"
    vocab_size = len(CHARACTERS)

    def __init__(self, config: ModelConfig) -> None:
        if not self.fits(config):
            raise ConfigError(
                f"the task maze has a square of cells and {self.vocab_size} token ids, but the "
                f"model has seq_len {config.seq_len} and vocab_size {config.vocab_size}."
            )
        super().__init__(config)
        self.cells = config.seq_len
        self.side = isqrt(config.seq_len)
        self._near = [self._neighbours(cell) for cell in range(self.cells)]

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Whether a model's shape is that of a maze; one cell cannot hold both S and G."""
        side = isqrt(config.seq_len)
        return config.vocab_size == cls.vocab_size and config.seq_len == side**2 and side > 1

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        for item in read_fields(self._with_pictures_joined(numbered(lines)), letters="SGo"):
            yield item if isinstance(item, BadLine) else self._entry(item)

    def text(self, tokens: NDArray[Any]) -> str:
        return "".join(CHARACTERS[token] for token in np.asarray(tokens, int))

    def draw(self, tokens: NDArray[Any], given: NDArray[Any] | None = None) -> str:
        """Two characters a cell, so that cells look square; the way is a line from S to G."""
        cells = np.asarray(tokens, int).tolist()
        drawn = [self._cell(cell, cells, given) for cell in range(self.cells)]
        rows = ("".join(drawn[k : k + self.side]) for k in range(0, self.cells, self.side))
        edge = "─" * 2 * self.side
        return "\n".join([f"┌{edge}┐", *(f"│{row}│" for row in rows), f"└{edge}┘"])

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        given, cells = np.asarray(puzzle, int), np.asarray(answer, int)
        return self._no_maze(given) or _changed(given, cells, self.side) or self._no_way(cells)

    def augmentations(self, count: int) -> list[Augmentation]:
        """Turned and mirrored: there are eight."""
        forms = squares(self.side, self.vocab_size)
        if count > len(forms):
            raise ConfigError(f"a maze has {len(forms)} forms, but {count} were asked for.")
        return forms[:count]

    # --- text to tokens ------------------------------------------------------------------------

    def _with_pictures_joined(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """Lines that hold something; the rows of a picture are one, with line breaks in it."""
        rows: list[str] = []
        top = 0
        for number, line in lines:
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
        """Whether a line is closer to a row of cells than to all of them."""
        if not line.strip():
            return len(line) == self.side  # of open cells, not an empty line
        return line[0] in "┌│└" or ("," not in line and 2 * len(line) <= self.cells)

    def _entry(self, fields: RawRow) -> Entry | BadLine:
        try:
            tokens = self._tokens(self._unfolded(fields.puzzle), _GIVEN)
            fault = self._no_maze(tokens)
            if fault:
                raise PuzzleError(fault)
            answer = None if fields.answer is None else self._answer(fields.answer, tokens)
        except PuzzleError as error:
            return BadLine(fields.line, str(error))
        return Entry(Puzzle(tokens), fields.line, answer)

    def _answer(self, text: str, given: NDArray[np.int32]) -> NDArray[np.int32]:
        if "." not in text:
            # Spaces that were cut off come back: a wall cut off shows against the puzzle.
            text = text.ljust(self.cells)
        try:
            answer = self._tokens(text, _GIVEN + "o")
            changed = _changed(given, answer, self.side)
            if changed:
                raise PuzzleError(changed)
        except PuzzleError as error:
            raise PuzzleError(f"answer: {error}") from error
        return answer

    def _unfolded(self, text: str) -> str:
        """The characters of all cells, of a line or a picture."""
        if not self._is_row(text.partition("\n")[0]):
            return text
        rows = [_undrawn(row) for row in text.split("\n") if row[:1] not in ("┌", "└")]
        if len(rows) != self.side:
            got = len(rows) if len(rows) < self.side else "more"
            raise PuzzleError(
                f"expected {self.side} rows of {self.side} characters, or {self.cells} characters "
                f"in one line, but got {got} row{'' if got == 1 else 's'}"
            )
        if "." not in text and max(map(len, rows)) == self.side:
            rows = [row.ljust(self.side) for row in rows]  # spaces that an editor cut off
        for number, row in enumerate(rows, 1):
            if len(row) != self.side:
                raise PuzzleError(
                    f"expected {self.side} characters in row {number}, but got {len(row)}"
                )
        return "".join(rows)

    def _tokens(self, text: str, allowed: str) -> NDArray[np.int32]:
        if len(text) != self.cells:
            cut = " " in text and "." not in text and len(text) < self.cells
            hint = ". Write '.' for open cells: an editor may have cut off spaces" if cut else ""
            raise PuzzleError(f"expected {self.cells} characters, but got {len(text)}{hint}")
        for cell, char in enumerate(text):
            if char not in allowed:
                way = ", 'o'" if "o" in allowed else ""
                raise PuzzleError(
                    f"expected '#', '.' or ' ', 'S', 'G'{way}, but got {char!r} at "
                    f"{place(cell, self.side)}"
                )
        return np.array([_IDS[char] for char in text], np.int32)

    def looks(self) -> tuple[tuple[str, str], ...]:
        return (("?", "pad"), ("", "wall"), ("", "open"), ("S", "end"), ("G", "end"), ("", "way"))

    # --- judgement -----------------------------------------------------------------------------

    def _no_maze(self, given: NDArray[Any]) -> str | None:
        """Why nobody could solve this maze."""
        starts, goals = int((given == START).sum()), int((given == GOAL).sum())
        if (starts, goals) != (1, 1):
            return f"expected one S and one G, but got {starts} and {goals}"
        if self._shortest(given) is None:
            return "there is no way from S to G"
        return None

    def _shortest(self, cells: NDArray[Any]) -> int | None:
        """Steps of the shortest way from S to G, by breadth-first search."""
        closed = (cells <= WALL).tolist()
        start, goal = int(np.argmax(cells == START)), int(np.argmax(cells == GOAL))
        closed[start] = True
        front, steps = [start], 0
        while front:
            if goal in front:
                return steps
            reached = []
            for cell in front:
                for near in self._near[cell]:
                    if not closed[near]:
                        closed[near] = True
                        reached.append(near)
            front, steps = reached, steps + 1
        return None

    def _no_way(self, cells: NDArray[Any]) -> str | None:
        """Why what is marked is not one shortest way, of a maze with one S and one G.

        Walking from S never comes back to a cell: there it would have found a branch before.
        """
        start, goal = int(np.argmax(cells == START)), int(np.argmax(cells == GOAL))
        marked = {*np.flatnonzero(cells == WAY).tolist(), goal}
        walked = [start]
        while walked[-1] != goal:
            ahead = [c for c in self._near[walked[-1]] if c in marked and c not in walked[-2:]]
            if not ahead:
                return f"the way from S ends at {place(walked[-1], self.side)}, not at G"
            if len(ahead) > 1:
                return f"the way branches at {place(walked[-1], self.side)}"
            walked.append(ahead[0])
        astray = sorted(marked.difference(walked))
        if astray:
            return f"{place(astray[0], self.side)} is marked, but is not on the way"
        steps, shortest = len(walked) - 1, self._shortest(cells)
        if steps != shortest:
            return f"the way takes {steps} steps, but {shortest} are enough"
        return None

    def _neighbours(self, cell: int) -> list[int]:
        row, column = divmod(cell, self.side)
        near = []
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < self.side and 0 <= c < self.side:
                near.append(r * self.side + c)
        return near

    def _cell(self, cell: int, tokens: Sequence[int], given: NDArray[Any] | None) -> str:
        kind = tokens[cell]
        joined = [near for near in self._near[cell] if _joined(kind, tokens[near])]
        link = "[cyan]━[/cyan]" if cell + 1 in joined else " "
        if kind == WAY:
            steps = (-self.side, self.side, -1, 1)
            sides = sum(1 << k for k, step in enumerate(steps) if cell + step in joined)
            return f"[cyan]{_GLYPHS[sides]}[/cyan]{link}"
        if kind in (START, GOAL):
            drawn = f"[bold]{CHARACTERS[kind]}[/bold]{link}"
        else:
            drawn = {PAD: "??", WALL: "██", OPEN: "  "}[kind]
        return drawn if given is None or given[cell] == kind else f"[cyan]{drawn}[/cyan]"


def _undrawn(row: str) -> str:
    """A row as ``draw`` writes it, one character a cell; any other as it is."""
    return row.rstrip().strip("│")[::2].replace("█", "#") if row.startswith("│") else row


def _changed(given: NDArray[Any], answer: NDArray[Any], side: int) -> str | None:
    """Where an answer does more than mark open cells."""
    marked = (given == OPEN) & (answer == WAY)
    changed = np.flatnonzero((given != answer) & ~marked)
    if not len(changed):
        return None
    cell = changed[0]
    return f"{place(cell, side)} was {_NAMES[given[cell]]} and is now {_NAMES[answer[cell]]}"


def _joined(one: int, other: int) -> bool:
    """Whether the way runs from one cell to the next."""
    return min(one, other) >= START and WAY in (one, other)
