"""What a task knows: its text, its tokens, and what counts as an answer."""

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
    """One puzzle of a source, with the known answer where the source has one."""

    puzzle: Puzzle
    line: int  # in the source, from 1; a row of a dataset counts as a line
    answer: NDArray[np.int32] | None = None  # (L,) token ids


@dataclass(frozen=True)
class BadLine:
    """A line that is no puzzle: the others are still solved."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class Task(ABC):
    """Text to tokens and back.

    Raises (on construction):
        ConfigError: the model's sequence length or vocabulary is not the task's.
    """

    name: ClassVar[str]

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    @abstractmethod
    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse text lazily, line by line."""

    def read(self, path: Path) -> Iterator[Entry | BadLine]:
        """Parse a text file, or a dataset folder of the published trainer.

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
        """Read the puzzles of a text file or dataset folder; :meth:`read` skips bad lines instead.

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

    def _read_dataset(self, folder: Path) -> Iterator[Entry | BadLine]:
        rows = read_dataset(folder, self.config.seq_len, self.config.vocab_size)
        for row, (tokens, labels, identifier) in enumerate(rows, 1):
            if not 0 <= identifier < self.config.num_puzzle_identifiers:
                yield BadLine(
                    row,
                    f"puzzle identifier {identifier} is not in the model's "
                    f"{self.config.num_puzzle_identifiers}",
                )
                continue
            yield Entry(Puzzle(tokens, identifier), row, labels)

    @abstractmethod
    def text(self, tokens: NDArray[Any]) -> str:
        """Token ids (L,) as one line of text."""

    @abstractmethod
    def draw(self, tokens: NDArray[Any], given: NDArray[Any] | None = None) -> str:
        """Token ids (L,) as a picture in rich's markup; what ``given`` does not say stands out."""

    @abstractmethod
    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Why ``answer`` (L,) does not solve ``puzzle`` (L,), or None where it does.

        Tasks that cannot judge without the known answer return None; see ``judges``.
        """

    def augmentations(self, count: int) -> list[Augmentation]:
        """``count`` forms of any puzzle, the same at every call, the puzzle as it is first.

        Raises:
            ConfigError: the task has not so many.
        """
        if count > 1:
            raise ConfigError(f"the task {self.name} knows no other form of a puzzle.")
        return [Augmentation.identity(self.config.seq_len, self.config.vocab_size)]

    @property
    def columns(self) -> int:
        """Cells in a row of the board, as a report draws it; as square as possible by default."""
        return ceil(sqrt(self.config.seq_len))

    def looks(self) -> tuple[tuple[str, str], ...]:
        """Text and CSS class of a cell in a report, by token id; the id itself by default."""
        return tuple((str(token), "token") for token in range(self.config.vocab_size))

    judges: ClassVar[bool] = True  # whether ``problem`` can tell
