"""The base class of tasks: a task's text, its tokens, and its judgement of an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation
from trm_edge.tasks.dataset import read_dataset


@dataclass(frozen=True)
class Entry:
    """One puzzle of a source.

    Args:
        puzzle: the puzzle.
        line: in the source, from 1; a row of a dataset counts as a line.
        answer: (L,) int32 token ids of the known answer, where the source has one.
    """

    puzzle: Puzzle
    line: int
    answer: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class BadLine:
    """A line that is not a puzzle; those after it are still read.

    Args:
        line: in the source, from 1.
        reason: why it is not a puzzle.
    """

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Task(ABC):
    """A kind of puzzle: reads text and datasets, draws, and judges answers.

    Args:
        config: the model.

    Raises:
        ConfigError: the model's sequence length or vocabulary is not the task's.

    Attributes:
        name: as in the manifest of a bundle and for ``--task``.
        judges: :meth:`problem` can tell a right answer from a wrong one.
    """

    name: ClassVar[str]
    judges: ClassVar[bool] = True

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    @abstractmethod
    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse text lazily, line by line.

        Args:
            lines: with or without their line ends.
        """

    def read(self, path: Path) -> Iterator[Entry | BadLine]:
        """Parse a text file or a dataset folder lazily, bad lines included.

        Args:
            path: a text or CSV file, or a dataset folder of the published trainer.

        Raises:
            PuzzleError: there is nothing to read at ``path``.
        """
        if path.is_dir():
            yield from self._read_dataset(path)
            return
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                yield from self.read_lines(lines)
        except OSError as error:
            raise PuzzleError(
                f"cannot read puzzles from {path}: {error.strerror}. Pass a file, a dataset "
                "folder, or - for standard input."
            ) from error

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

    @abstractmethod
    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Explain why an answer does not solve a puzzle.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.

        Returns:
            The reason, or None where the answer is right or the task cannot tell; see ``judges``.
        """

    def augmentations(self, count: int) -> list[Augmentation]:
        """List augmentations of any puzzle, the identity first and the same ones at every call.

        Args:
            count: how many.

        Raises:
            ConfigError: the task has fewer.
        """
        if count > 1:
            raise ConfigError(
                f"the task {self.name} has no augmentations, but {count} attempts need them."
            )
        return [Augmentation.identity(self.config.seq_len, self.config.vocab_size)]

    @property
    def columns(self) -> int:
        """Cells in a row of the picture that the report draws."""
        return ceil(sqrt(self.config.seq_len))

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Describe a cell of the report's picture for every token id.

        Returns:
            (V,) pairs: the text in the cell, and a CSS class that the report's page.css styles.
        """
        return tuple((str(token), "token") for token in range(self.config.vocab_size))

    def _read_dataset(self, folder: Path) -> Iterator[Entry | BadLine]:
        rows = read_dataset(folder, self.config.seq_len, self.config.vocab_size)
        count = self.config.num_puzzle_identifiers
        for line, row in enumerate(rows, 1):
            if 0 <= row.identifier < count:
                yield Entry(Puzzle(row.tokens, row.identifier), line, row.labels)
            else:
                yield BadLine(
                    line,
                    f"puzzle identifier must lie in 0..{count - 1}, but got {row.identifier}",
                )
