"""What a model is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import PuzzleError


@dataclass(frozen=True)
class Puzzle:
    """What goes in: token ids (L,) and the row of the puzzle-embedding table."""

    tokens: NDArray[np.int32]
    identifier: int = 0


def check_puzzle(puzzle: Puzzle, index: int, config: ModelConfig) -> None:
    """Refuse a puzzle that does not fit the model.

    Raises:
        PuzzleError: names the index, what was expected and what was given.
    """
    shape = np.shape(puzzle.tokens)
    if shape != (config.seq_len,):
        raise PuzzleError(
            f"puzzle {index}: tokens must have shape ({config.seq_len},), but got {shape}."
        )
    low, high = int(puzzle.tokens.min()), int(puzzle.tokens.max())
    if low < 0 or high >= config.vocab_size:
        raise PuzzleError(
            f"puzzle {index}: token ids must lie in 0..{config.vocab_size - 1}, "
            f"but got {low if low < 0 else high}."
        )
    if not 0 <= puzzle.identifier < config.num_puzzle_identifiers:
        raise PuzzleError(
            f"puzzle {index}: identifier must lie in 0..{config.num_puzzle_identifiers - 1}, "
            f"but got {puzzle.identifier}."
        )
