"""ARC-AGI: grids of up to 30 x 30 cells in ten colours, answered by a task's own embedding.

A puzzle is a test input of a task, as JSON files or a dataset folder have it. Which task it belongs
to tells the model through a row of its table, so a grid alone cannot be solved.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE, encode
from trm_edge.arc.grids import COLOURS, SIDE, Grid
from trm_edge.arc.rows import TaskRows, missing_rows_sentence
from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.identifiers import IDENTIFIERS_NAME, read_names
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split
from trm_edge.tasks.augmentation import PuzzleAugmentation
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.dataset import is_folder
from trm_edge.tasks.entries import BadTask, UnknownTask
from trm_edge.tasks.lines import Lines

logger = logging.getLogger(__name__)

# The colours of arcprize.org, from 0, and a colour for the digits on each.
PALETTE = (
    ("#000000", "#888888"),
    ("#0074d9", "#ffffff"),
    ("#ff4136", "#000000"),
    ("#2ecc40", "#000000"),
    ("#ffdc00", "#000000"),
    ("#aaaaaa", "#000000"),
    ("#f012be", "#000000"),
    ("#ff851b", "#000000"),
    ("#7fdbff", "#000000"),
    ("#870c25", "#ffffff"),
)
NO_GRID = "(no grid)"
_BACKGROUND = "."  # of colour 0, so that shapes can be seen without colours
_LOOKS = (("", "pad"), ("", "marker"), *(("", f"colour{colour}") for colour in range(COLOURS)))


class ArcAgiTask(Task):
    """The test inputs of ARC-AGI's tasks, from JSON files or a dataset folder.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's shape is not that of the published canvas.
    """

    name = "arc"
    judges = False
    reads_files = True

    def __init__(self, config: ModelConfig) -> None:
        if not self.fits(config):
            raise ConfigError(
                f"the task arc has {CELLS} cells and {VOCAB_SIZE} token ids, but the model has "
                f"seq_len {config.seq_len} and vocab_size {config.vocab_size}."
            )
        super().__init__(config)
        self._warned: set[str] = set()  # so that a source that is read twice is warned of once

    @classmethod
    def fits(cls, config: ModelConfig) -> bool:
        """Compare a model's shape with that of the published canvas.

        Args:
            config: the model.
        """
        return (config.seq_len, config.vocab_size) == (CELLS, VOCAB_SIZE)

    def rows(self, tasks: Iterable[str], dataset_names: Sequence[str] | None = None) -> TaskRows:
        """Find the rows of tasks and their variants.

        Args:
            tasks: bare names of the tasks.
            dataset_names: of a dataset's identifiers, for a bundle that does not know the names of
                its rows.

        Raises:
            PuzzleError: it is not known which task a row belongs to.
        """
        rows = self.config.num_puzzle_identifiers if self.config.puzzle_emb_ndim else 0
        names = None if self._row_names is None else self._row_names.names()
        return TaskRows(names or dataset_names, rows, tasks)

    def read(self, path: Path) -> Iterator[Entry | BadLine]:
        """Read the unaugmented test inputs of tasks, tasks that cannot be used included.

        A folder of arrays, such as ``test/`` of a dataset, gives all its rows.

        Args:
            path: a challenges file, a task file, a folder of task files, or a dataset folder.

        Raises:
            PuzzleError: it cannot be read, or no task in it can be used.
        """
        from trm_edge.arc.asked_tasks import AskedTasks, read_asked_tasks

        if is_folder(path) and any(path.glob("*__inputs.npy")):
            yield from super().read(path)
            return
        asked: AskedTasks = read_asked_tasks(path)
        yield from self._entries(asked.tasks, asked.problems, asked.names)

    def read_source(self, lines: Lines) -> Iterator[Entry | BadLine]:
        """Read the tasks of a JSON file or pipe.

        Args:
            lines: the text as a whole is one JSON object.

        Raises:
            PuzzleError: it cannot be read, is not JSON, or no task can be used.
        """
        from trm_edge.arc.sources import LARGEST_FILE, parse_task_file

        subset = parse_task_file(lines.text(LARGEST_FILE), lines.name)
        yield from self._entries(subset.tasks, subset.problems, None)

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse the JSON of one task or of several by name.

        Args:
            lines: which make up one JSON object.

        Raises:
            PuzzleError: it is not JSON, or no task can be used.
        """
        from trm_edge.arc.sources import parse_task_file

        subset = parse_task_file("".join(lines), "the text")
        yield from self._entries(subset.tasks, subset.problems, None)

    def _entries(
        self,
        tasks: Sequence[Any],
        problems: Iterable[object],
        dataset_names: Sequence[str] | None,
    ) -> Iterator[Entry | BadLine]:
        line = 1
        for problem in problems:
            yield BadTask(line, str(problem).rstrip("."))
            line += 1
        rows = self.rows([task.name for task in tasks], dataset_names)
        missing = rows.missing()
        if missing:
            sentence = missing_rows_sentence(missing, len(tasks))
            if len(missing) == len(tasks):
                raise PuzzleError(f"{sentence}.")
            if sentence not in self._warned:
                logger.warning("%s", sentence)
                self._warned.add(sentence)
        for task in tasks:
            row = rows.row(task.name)
            if row is None:
                yield UnknownTask(line, f"task {task.name}: the bundle has no row for it")
                line += 1
                continue
            for number, pair in enumerate(task.tests, start=1):
                answer = None
                if pair.output is not None:
                    answer = encode(pair.output).astype(np.int32)
                puzzle = Puzzle(encode(pair.input).astype(np.int32), row)
                yield Entry(puzzle, line, answer, name=f"{task.name}, test input {number}")
                line += 1

    def recognizes(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle is one grid on the canvas, wherever it was moved.

        Args:
            puzzle: one that fits the model.
        """
        is_colour = np.asarray(puzzle.tokens).reshape(SIDE, SIDE) >= FIRST_COLOUR
        rows = np.flatnonzero(is_colour.any(axis=1))
        columns = np.flatnonzero(is_colour.any(axis=0))
        if not len(rows):
            return False
        height = int(rows[-1] - rows[0]) + 1
        width = int(columns[-1] - columns[0]) + 1
        return int(is_colour.sum()) == height * width

    def text(self, tokens: NDArray[Any]) -> str:
        """Write the grid as JSON: a list of rows, each a list of colours.

        Args:
            tokens: (L,) token ids.
        """
        grid = crop(tokens)
        # The empty grid is [] in submissions, and numpy would make rows without cells.
        rows: list[list[int]] = grid.tolist() if grid.size else []
        return json.dumps(rows, separators=(",", ":"))

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw the grid in its colours, two characters a cell, which hold the colour's number.

        Args:
            tokens: (L,) token ids; what lies outside of the published crop is not drawn.
            puzzle: ignored: an answer is another grid than its question.
        """
        return _drawn(crop(tokens), None)

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw the prediction of a step; cells that it changed have a mark.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: ignored.
            previous: (L,) token ids before the step.
        """
        changed = np.asarray(tokens) != np.asarray(previous)
        return _drawn(crop(tokens), changed.reshape(SIDE, SIDE))

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Return None: the rule of a task is not known, so an answer cannot be judged.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.
        """
        return None

    def are_right(self, answers: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Compare the cropped grids, as the published evaluator does; markers do not count.

        Args:
            answers: (n, L) token ids.
            labels: (n, L) token ids of the known answers.

        Returns:
            (n,) bool.
        """
        pairs = zip(answers, labels, strict=True)
        return np.array([np.array_equal(crop(answer), crop(label)) for answer, label in pairs])

    def bundled_puzzles(self, split: Split) -> Path | None:
        """Find the questions that belong to the bundled model.

        Args:
            split: which of them.

        Returns:
            A file or folder that :meth:`read` takes; None for a model whose rows are not, all of
            them, rows of the bundled one.
        """
        path = super().bundled_puzzles(split)
        names = None if self._row_names is None else self._row_names.names()
        if path is None or names is None:
            return None
        bundled = set(read_names(path.parent / IDENTIFIERS_NAME))
        if len(names) > len(bundled) or not bundled.issuperset(names):
            return None
        return path

    def augmentations(self, count: int) -> Sequence[PuzzleAugmentation]:
        """Return the identity alone: a variant has another row of the model's table.

        Args:
            count: how many.

        Raises:
            ConfigError: more than one was asked for.
        """
        if count > 1:
            raise ConfigError(
                "the variants of an ARC task are asked by their own rows, and vote on the answer: "
                "write them to a folder with -o FOLDER --augmentations N. Tries at a single grid "
                "can differ by noise (--explore noise)."
            )
        return super().augmentations(count)

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture: colours without text."""
        return _LOOKS


def _drawn(grid: Grid, changed: NDArray[np.bool_] | None) -> str:
    if not grid.size:
        return NO_GRID
    lines = []
    for row, colours in enumerate(grid.tolist()):
        cells = []
        for column, colour in enumerate(colours):
            is_changed = changed is not None and bool(changed[row, column])
            cells.append(_cell(colour, is_changed=is_changed))
        lines.append("".join(cells))
    return "\n".join(lines)


def _cell(colour: int, *, is_changed: bool) -> str:
    background, foreground = PALETTE[colour]
    digit = str(colour) if colour else _BACKGROUND
    mark = "'" if is_changed else " "
    return f"[{foreground} on {background}]{digit}{mark}[/]"
