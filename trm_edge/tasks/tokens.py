"""The task of any other model: token ids separated by spaces, one puzzle a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.lines import too_long

_SPACES = " \t\r\n\f\v"
_BETWEEN = re.compile(r"[ \t\r\n\f\v]+")


class TokenTask(Task):
    """Reads and writes raw ids; ``identifier:`` before a line picks the puzzle embedding.

    Args:
        config: the model.
    """

    name = "tokens"
    judges = False

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        """Parse one puzzle a line; empty lines and lines that begin with # are skipped.

        Args:
            lines: with or without their line ends.
        """
        for number, line in enumerate(lines, 1):
            problem = too_long(line)
            if problem:
                yield BadLine(number, problem)
                continue
            content = line.strip(_SPACES).removeprefix("\ufeff")
            if not content or content.startswith("#"):
                continue
            try:
                yield Entry(self._puzzle(content), number)
            except PuzzleError as error:
                yield BadLine(number, str(error))

    def text(self, tokens: NDArray[Any]) -> str:
        """Write the ids with spaces between them.

        Args:
            tokens: (L,) token ids.
        """
        return " ".join(str(int(token)) for token in tokens)

    def draw(self, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> str:
        """Write the ids as a square where their number is one, else in one row.

        Args:
            tokens: (L,) token ids.
            puzzle: ignored.
        """
        side = round(len(tokens) ** 0.5)
        width = side if side * side == len(tokens) else len(tokens)
        lines = []
        for start in range(0, len(tokens), width):
            row = tokens[start : start + width]
            lines.append(" ".join(f"{int(token):2d}" for token in row))
        return "\n".join(lines)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        """Return None: raw tokens cannot be judged.

        Args:
            puzzle: (L,) token ids.
            answer: (L,) token ids.
        """
        return None

    def _puzzle(self, line: str) -> Puzzle:
        """Parse a line.

        Raises:
            PuzzleError: says what is wrong with it.
        """
        head, colon, tail = line.partition(":")
        fields = [field for field in _BETWEEN.split(tail if colon else line) if field]
        try:
            identifier = _number(head) if colon else 0
            tokens = np.array([_number(field) for field in fields], np.int64)
        except (ValueError, OverflowError) as error:
            raise PuzzleError("expected token ids separated by spaces") from error
        config = self.config
        if len(tokens) != config.seq_len:
            raise PuzzleError(f"expected {config.seq_len} token ids, but got {len(tokens)}")
        if tokens.min() < 0 or tokens.max() >= config.vocab_size:
            raise PuzzleError(f"token ids must lie in 0..{config.vocab_size - 1}")
        if not 0 <= identifier < config.num_puzzle_identifiers:
            raise PuzzleError(f"identifier must lie in 0..{config.num_puzzle_identifiers - 1}")
        return Puzzle(tokens.astype(np.int32), identifier)


def _number(text: str) -> int:
    """Parse a number in plain digits; int() also takes 1_0 and digits of other scripts.

    Raises:
        ValueError: it is not one.
    """
    text = text.strip(_SPACES)
    if len(text) > 20 or not text.isascii() or not text.removeprefix("-").isdecimal():
        raise ValueError(f"not a number: {text!r}")
    return int(text)
