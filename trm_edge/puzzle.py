"""Puzzles, and the types that token ids are stored in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import PuzzleError
from trm_edge.noise import Noise

# Ids in the type of token_dtype().
if TYPE_CHECKING:
    Tokens = NDArray[np.unsignedinteger[Any]]
else:
    Tokens = NDArray[Any]  # numpy 1.21, that of Ubuntu 22.04 and JetPack 6, has no generic types


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger[Any]]:
    """Choose the smallest unsigned type for every token id and, beside them, an unknown label.

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
    """Return the label of a cell whose answer is not known: the largest value of the type.

    Args:
        dtype: as :func:`token_dtype` gives it.

    >>> unknown_label(token_dtype(11))
    255
    """
    return int(np.iinfo(dtype).max)


@dataclass(frozen=True)
class Puzzle:
    """The input of the model for one puzzle.

    Args:
        tokens: (L,) token ids, of any integer type.
        identifier: row of the puzzle-embedding table, 0 where the model has none.
        start: states (P + L, D) float32 to start from, by name, such as ``z_H``; the model's own
            for those left out.
        noise: added to the states before every step.
    """

    tokens: NDArray[np.int32]
    identifier: int = 0
    start: Mapping[str, NDArray[np.float32]] | None = None
    noise: Noise | None = None


def check_puzzle(puzzle: Puzzle, index: int, config: ModelConfig) -> None:
    """Refuse a puzzle that does not fit the model.

    Args:
        puzzle: the puzzle.
        index: its position in the stream, for the message.
        config: the model.

    Raises:
        PuzzleError: names the index, what was expected and what was got.
    """
    tokens = np.asarray(puzzle.tokens)
    if tokens.shape != (config.seq_len,):
        raise PuzzleError(
            f"puzzle {index}: tokens must have shape ({config.seq_len},), but got {tokens.shape}."
        )
    if not np.issubdtype(tokens.dtype, np.integer):
        raise PuzzleError(f"puzzle {index}: tokens must be integers, but got {tokens.dtype}.")
    lowest = int(tokens.min())
    highest = int(tokens.max())
    if lowest < 0 or highest >= config.vocab_size:
        outside = lowest if lowest < 0 else highest
        raise PuzzleError(
            f"puzzle {index}: token ids must lie in 0..{config.vocab_size - 1}, but got {outside}."
        )
    if not 0 <= puzzle.identifier < config.num_puzzle_identifiers:
        raise PuzzleError(
            f"puzzle {index}: identifier must lie in 0..{config.num_puzzle_identifiers - 1}, "
            f"but got {puzzle.identifier}."
        )
    if puzzle.start is not None:
        _check_start(puzzle.start, index, config)
    if puzzle.noise is not None:
        _check_states(puzzle.noise.states, f"puzzle {index}: noise", config)


def _check_start(start: Mapping[str, NDArray[np.float32]], index: int, config: ModelConfig) -> None:
    _check_states(start, f"puzzle {index}: start", config)
    expected = (config.carry_len, config.hidden_size)
    for name, values in start.items():
        array = np.asarray(values)
        if array.shape != expected:
            raise PuzzleError(
                f"puzzle {index}: start[{name!r}] must have shape {expected}, positions by "
                f"features, but got {array.shape}."
            )
        if not np.issubdtype(array.dtype, np.floating) or not np.isfinite(array).all():
            raise PuzzleError(
                f"puzzle {index}: start[{name!r}] must hold finite floats, but got "
                f"{array.dtype}{_not_finite(array)}."
            )


def _not_finite(array: NDArray[Any]) -> str:
    if not np.issubdtype(array.dtype, np.floating):
        return ""
    return f" with {int((~np.isfinite(array)).sum())} values that are not finite"


def _check_states(names: Iterable[str], source: str, config: ModelConfig) -> None:
    states = config.recursion.states
    for name in names:
        if name not in states:
            raise PuzzleError(
                f"{source} names the state {name!r}, but the model has {', '.join(states)}."
            )
