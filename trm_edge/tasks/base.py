"""The base class of tasks: a task's text, its tokens, and its judgement of an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from math import ceil, sqrt
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.identifiers import RowNames
from trm_edge.puzzle import Puzzle
from trm_edge.reference import Split, reference_puzzles
from trm_edge.tasks.answer_lines import with_answers, without_answers
from trm_edge.tasks.augmentation import Augmentation, PuzzleAugmentation
from trm_edge.tasks.dataset import IGNORED, is_folder, read_dataset
from trm_edge.tasks.entries import AnswerLine as AnswerLine
from trm_edge.tasks.entries import BadLine as BadLine
from trm_edge.tasks.entries import Entry as Entry
from trm_edge.tasks.entries import SolvedLine as SolvedLine
from trm_edge.tasks.entries import UnknownIdentifier as UnknownIdentifier
from trm_edge.tasks.lines import Lines, open_lines, too_long
from trm_edge.tasks.numbering import Numbering, UnknownIdentifierError, numbering_of
from trm_edge.tasks.text_formats import RawRow


class Task(ABC):
    """A kind of puzzle: reads text and datasets, draws, and judges answers.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's sequence length or vocabulary is not the task's.

    Attributes:
        name: as in the manifest of a bundle and for ``--task``.
        judges: :meth:`problem` can tell a right answer from a wrong one.
        augmentation_limit: largest number of :meth:`augmentations`, the identity included.
        reads_files: :meth:`read` takes a whole file, and finds others beside it.
    """

    name: ClassVar[str]
    judges: ClassVar[bool] = True
    reads_files: ClassVar[bool] = False
    augmentation_limit: ClassVar[int] = 1

    def __init__(self, config: ModelConfig) -> None:
        self.config = config
        self._row_names: RowNames | None = None
        self._numberings: dict[Path, Numbering] = {}

    def with_row_names(self, names: RowNames) -> Task:
        """Return the same task, which finds the rows of a dataset's puzzles by their names.

        Args:
            names: of the rows of the model's puzzle-embedding table.
        """
        task = copy(self)
        task._row_names = names
        task._numberings = {}
        return task

    @abstractmethod
    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse text lazily, line by line.

        Args:
            lines: with or without their line ends.
        """

    def read_ahead(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse text as :meth:`read_lines` does, where many lines may be read before the first.

        Args:
            lines: with or without their line ends.
        """
        yield from self.read_lines(lines)

    def read(self, path: Path) -> Iterator[Entry | BadLine]:
        """Parse a text file or a dataset folder lazily, bad lines included.

        Args:
            path: a text or CSV file, also packed with gzip, or a dataset folder of the published
                trainer.

        Raises:
            PuzzleError: there is nothing to read at ``path``, or it does not hold lines of text.
        """
        if is_folder(path):
            yield from self._read_dataset(path)
            return
        yield from self.read_source(open_lines(path))

    def read_source(self, lines: Lines) -> Iterator[Entry | BadLine]:
        """Parse opened lines, and give puzzles the answers on the lines after them.

        The writer of a live source may wait for the answer to a puzzle before it writes the next
        line, so known answers on lines of their own are left out there.

        Args:
            lines: of a file or of standard input.

        Raises:
            PuzzleError: the source cannot be read, or does not hold lines of text.
        """
        if lines.live:
            yield from without_answers(self.read_lines(lines))
        else:
            yield from with_answers(self.read_ahead(lines))

    def read_rows(self, rows: Sequence[RawRow]) -> list[Entry | BadLine]:
        """Parse the rows of a table, each of which is to hold one puzzle.

        Args:
            rows: of any number.

        Returns:
            As many entries, or what is wrong with a row.
        """
        return [self._read_row(row) for row in rows]

    def _read_row(self, row: RawRow) -> Entry | BadLine:
        """Parse a row alone; its known answer is left out where the task's text has none."""
        problem = too_long(row.puzzle)
        if problem:
            return BadLine(row.line, problem)
        items = list(self.read_lines(row.puzzle.splitlines()))
        if len(items) != 1:
            count = len(items) or "none"
            return BadLine(row.line, f"expected one puzzle, but got {count}")
        return replace(items[0], line=row.line)

    def puzzle(self, text: str) -> Puzzle:
        """Parse the text of a single puzzle.

        Args:
            text: one puzzle in any of the formats of :meth:`read_lines`.

        Raises:
            PuzzleError: the text does not hold exactly one puzzle; says why.
        """
        puzzles = []
        for item in self.read_lines(text.splitlines()):
            if isinstance(item, Entry):
                puzzles.append(item.puzzle)
            elif not isinstance(item, AnswerLine):
                raise PuzzleError(f"{item}.")
        if len(puzzles) != 1:
            count = len(puzzles) or "none"
            raise PuzzleError(f"expected the text of one {self.name} puzzle, but got {count}.")
        return puzzles[0]

    def recognizes(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle of the model's shape can be one of this task.

        Args:
            puzzle: one that fits the model.
        """
        return True

    def puzzles(self, path: str | Path) -> Iterator[Puzzle]:
        """Read the puzzles of a text file or dataset folder; :meth:`read` keeps bad lines instead.

        Args:
            path: a text or CSV file, or a dataset folder of the published trainer.

        Returns:
            The puzzles in order, read lazily.

        Raises:
            PuzzleError: there is nothing to read at ``path``, or a line is not a puzzle; names the
                file and the line.
        """
        source = Path(path)
        for entry in self.read(source):
            if isinstance(entry, BadLine):
                raise PuzzleError(f"{source}, {entry}.")
            yield entry.puzzle

    @abstractmethod
    def text(self, tokens: NDArray[Any]) -> str:
        """Write token ids as one line of text.

        Args:
            tokens: (L,) token ids.
        """

    @abstractmethod
    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Draw token ids as a picture in rich's markup.

        Args:
            tokens: (L,) token ids of a puzzle or answer.
            puzzle: (L,) token ids of the puzzle; cells that differ from it stand out.
        """

    def draw_step(self, tokens: NDArray[Any], puzzle: NDArray[Any], previous: NDArray[Any]) -> str:
        """Draw the prediction of a step; a task may mark the cells that the step changed.

        Args:
            tokens: (L,) token ids of the prediction.
            puzzle: (L,) token ids of the puzzle.
            previous: (L,) token ids before the step.
        """
        return self.draw(tokens, puzzle)

    @abstractmethod
    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Explain why an answer does not solve a puzzle.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.

        Returns:
            The reason, or None where the answer is right or the task cannot tell; see ``judges``.
        """

    def judge(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many answers whether they solve their puzzles; see ``judges``.

        Args:
            puzzles: (n, L) token ids.
            answers: (n, L) token ids.

        Returns:
            (n,) bool, True where :meth:`problem` finds none.
        """
        problems = map(self.problem, puzzles, answers)
        return np.array([problem is None for problem in problems], np.bool_)

    def are_right(self, answers: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell whether answers equal the known ones, cells that the loss leaves out aside.

        Args:
            answers: (n, L) token ids.
            labels: (n, L) token ids of the known answers.

        Returns:
            (n,) bool.
        """
        equal: NDArray[np.bool_] = ((answers == labels) | (labels == IGNORED)).all(1)
        return equal

    def is_complete(self, puzzle: Puzzle) -> bool:
        """Tell whether a puzzle leaves nothing to solve, so that it is an answer, not a puzzle.

        Args:
            puzzle: one that fits the model.
        """
        return False

    def texts(self, tokens: NDArray[Any]) -> list[str]:
        """Write many puzzles, each as :meth:`text` does.

        Args:
            tokens: (n, L) token ids.
        """
        return [self.text(row) for row in tokens]

    def answer_texts(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> list[str]:
        """Write many answers, each as :meth:`answer_text` does.

        Args:
            puzzles: (n, L) token ids.
            answers: (n, L) token ids.
        """
        return [self.answer_text(*pair) for pair in zip(puzzles, answers, strict=True)]

    def answer_text(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str:
        """Write an answer as one line of text.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.
        """
        return self.text(answer)

    def bundled_puzzles(self, split: Split) -> Path | None:
        """Find the puzzles of this task and size that come with trm-edge.

        Args:
            split: which of them.

        Returns:
            A file that :meth:`read` takes, or None.
        """
        return reference_puzzles(self.name, split, self.config.seq_len)

    def augmentations(self, count: int) -> Sequence[PuzzleAugmentation]:
        """List augmentations of any puzzle, the identity first and the same ones at every call.

        Args:
            count: how many.

        Raises:
            ConfigError: the task has fewer.
        """
        if count > 1:
            raise ConfigError(
                f"the task {self.name} has no augmentations, but {count} tries need them. Let "
                "tries differ by noise instead (--explore noise)."
            )
        return [Augmentation.identity(self.config.seq_len, self.config.vocab_size)]

    @property
    def columns(self) -> int:
        """Cells in a row of the picture that the report draws."""
        return ceil(sqrt(self.config.seq_len))

    @property
    def boxes(self) -> tuple[int, int] | None:
        """Rows and columns of the boxes that the report's picture has lines around; None: none."""
        return None

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture for every token id.

        Returns:
            (V,) pairs: the text in the cell, and a CSS class that the report's page.css styles.
        """
        return tuple((str(token), "token") for token in range(self.config.vocab_size))

    def _read_dataset(self, folder: Path) -> Iterator[Entry | BadLine]:
        rows = read_dataset(folder, self.config.seq_len, self.config.vocab_size)
        numbering: Numbering | None = None
        for line, row in enumerate(rows, 1):
            if numbering is None:  # the first row shows that it is a dataset folder
                numbering = self._numbering(folder)
            try:
                puzzle = Puzzle(row.tokens, numbering.row(row.identifier))
            except UnknownIdentifierError as error:
                yield UnknownIdentifier(line, str(error))
                continue
            yield Entry(puzzle, line, row.labels)

    def _numbering(self, folder: Path) -> Numbering:
        """The rows of a dataset's identifiers, looked up and logged once for each folder."""
        if folder not in self._numberings:
            rows = self.config.num_puzzle_identifiers
            self._numberings[folder] = numbering_of(folder, rows, self._row_names)
        return self._numberings[folder]
