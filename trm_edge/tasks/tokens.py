"""Any model, no task: token ids separated by spaces, one puzzle a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import BadLine, Entry, Task


class TokenTask(Task):
    """Raw ids in and out; ``identifier:`` in front of a line picks the puzzle embedding."""

    name = "tokens"
    judges = False

    def read_lines(self, lines: Iterable[str]) -> Iterator[Entry | BadLine]:
        for number, raw in enumerate(lines, 1):
            line = raw.strip()
            if line and not line.startswith("#"):
                yield self._entry(number, line)

    def _entry(self, number: int, line: str) -> Entry | BadLine:
        head, colon, rest = line.partition(":")
        try:
            identifier = int(head) if colon else 0
            tokens = np.array([int(field) for field in (rest if colon else line).split()], np.int64)
        except (ValueError, OverflowError):
            return BadLine(number, "expected token ids separated by spaces")
        config = self.config
        if len(tokens) != config.seq_len:
            return BadLine(number, f"expected {config.seq_len} token ids, but got {len(tokens)}")
        if tokens.min() < 0 or tokens.max() >= config.vocab_size:
            return BadLine(number, f"token ids must lie in 0..{config.vocab_size - 1}")
        if not 0 <= identifier < config.num_puzzle_identifiers:
            return BadLine(number, f"identifier must lie in 0..{config.num_puzzle_identifiers - 1}")
        return Entry(Puzzle(tokens.astype(np.int32), identifier), number)

    def text(self, tokens: NDArray[Any]) -> str:
        return " ".join(str(int(token)) for token in tokens)

    def draw(self, tokens: NDArray[Any], given: NDArray[Any] | None = None) -> str:
        side = round(len(tokens) ** 0.5)
        width = side if side * side == len(tokens) else len(tokens)
        rows = (tokens[k : k + width] for k in range(0, len(tokens), width))
        return "\n".join(" ".join(f"{int(token):2d}" for token in row) for row in rows)

    def problem(self, puzzle: NDArray[Any], answer: NDArray[Any]) -> str | None:
        return None
