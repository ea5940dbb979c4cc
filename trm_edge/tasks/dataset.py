"""The published trainer's dataset folders: ``{split}/{set}__inputs.npy`` and its companions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError

IGNORED = 0  # labels of cells that the loss leaves out; -100 is mapped to it upstream


class DatasetRow(NamedTuple):
    """One puzzle of a dataset.

    Args:
        tokens: (L,) int32 token ids.
        labels: (L,) int32 token ids of the answer, where the dataset has labels.
        identifier: row of the puzzle-embedding table.
    """

    tokens: NDArray[np.int32]
    labels: NDArray[np.int32] | None
    identifier: int


def read_dataset(folder: Path, seq_len: int, vocab_size: int) -> Iterator[DatasetRow]:
    """Read a dataset folder row by row; the arrays are memory-mapped.

    Args:
        folder: holds ``*__inputs.npy`` itself, or in ``test/`` (tried first) or ``train/``.
        seq_len: L, tokens of a puzzle.
        vocab_size: V, token ids.

    Raises:
        PuzzleError: files are missing, pickled, of another shape, or hold ids outside the
            vocabulary.
    """
    for inputs_path in _input_files(folder):
        prefix = inputs_path.name.removesuffix("inputs.npy")
        labels_path = inputs_path.with_name(f"{prefix}labels.npy")
        inputs = _load(inputs_path, 2)
        if inputs.shape[1] != seq_len:
            raise PuzzleError(
                f"{inputs_path} has rows of {inputs.shape[1]} tokens, but the model takes "
                f"{seq_len}."
            )
        labels = _optional(labels_path, 2)
        if labels is not None and labels.shape != inputs.shape:
            raise PuzzleError(
                f"{labels_path} has shape {labels.shape}, but {inputs_path.name} has "
                f"{inputs.shape}."
            )
        identifiers = _identifiers(inputs_path, prefix, len(inputs))
        for row in range(len(inputs)):
            tokens = np.asarray(inputs[row], np.int32)
            if tokens.min() < 0 or tokens.max() >= vocab_size:
                raise PuzzleError(
                    f"{inputs_path}, row {row + 1}: token ids must lie in 0..{vocab_size - 1}, "
                    f"but got {tokens.min()}..{tokens.max()}."
                )
            answer = None
            if labels is not None:
                answer = np.maximum(np.asarray(labels[row], np.int32), IGNORED)
            yield DatasetRow(tokens, answer, int(identifiers[row]))


def _input_files(folder: Path) -> list[Path]:
    for split in (folder, folder / "test", folder / "train"):
        paths = sorted(split.glob("*__inputs.npy"))
        if paths:
            return paths
    raise PuzzleError(
        f"{folder} is not a dataset folder: there is no *__inputs.npy in it, in test/ or in train/."
    )


def _identifiers(inputs_path: Path, prefix: str, count: int) -> NDArray[np.int64]:
    """Find the identifier of every row: examples of one puzzle are consecutive (puzzle_indices)."""
    identifiers_path = inputs_path.with_name(f"{prefix}puzzle_identifiers.npy")
    indices_path = inputs_path.with_name(f"{prefix}puzzle_indices.npy")
    by_puzzle = _optional(identifiers_path, 1)
    if by_puzzle is None:
        return np.zeros(count, np.int64)
    starts = _optional(indices_path, 1)
    if starts is None:
        if len(by_puzzle) != count:
            raise PuzzleError(
                f"{identifiers_path} has {len(by_puzzle)} entries for {count} rows, and there is "
                f"no {indices_path.name}."
            )
        return by_puzzle.astype(np.int64)
    end = int(starts[-1]) if len(starts) else None
    if len(starts) != len(by_puzzle) + 1 or end != count or (np.diff(starts) < 0).any():
        raise PuzzleError(
            f"{indices_path} must rise from 0 to {count} with {len(by_puzzle) + 1} entries, but "
            f"has {len(starts)} and ends at {end}."
        )
    return np.repeat(by_puzzle.astype(np.int64), np.diff(starts))


def _optional(path: Path, axes: int) -> NDArray[np.integer] | None:
    return _load(path, axes) if path.is_file() else None


def _load(path: Path, axes: int) -> NDArray[np.integer]:
    try:
        array: NDArray[np.integer] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise PuzzleError(f"{path} cannot be read as a plain .npy array: {error}.") from error
    if array.ndim != axes or not np.issubdtype(array.dtype, np.integer):
        raise PuzzleError(
            f"{path} must be an integer array with {axes} axes, but has type {array.dtype} and "
            f"shape {array.shape}."
        )
    return array
