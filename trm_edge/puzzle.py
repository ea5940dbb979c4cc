"""Puzzles, and the types that token ids are kept in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import PuzzleError

Tokens = NDArray[np.unsignedinteger[Any]]  # ids in the type of token_dtype()


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The smallest unsigned type that holds every token id and, beside them, an unknown label.

    Args:
        vocab_size: V, number of token ids.

    >>> token_dtype(11), token_dtype(255), token_dtype(256)
    (dtype('uint8'), dtype('uint8'), dtype('uint16'))
    """
    for dtype in (np.uint8, np.uint16):
        if vocab_size <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.uint32)


def unknown_label(dtype: np.dtype[Any]) -> int:
    """The label of a cell whose answer is not known: the largest value of the type.

    Args:
        dtype: as :func:`token_dtype` gives it.

    >>> unknown_label(token_dtype(11))
    255
    """
    return int(np.iinfo(dtype).max)


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
