"""The published trainer's dataset folders: ``{split}/{set}__inputs.npy`` and its companions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError

Row = tuple[NDArray[np.int32], NDArray[np.int32] | None, int]
IGNORED = 0  # labels of cells that the loss leaves out; -100 is mapped to it upstream


def read_dataset(folder: Path, seq_len: int, vocab_size: int) -> Iterator[Row]:
    """Rows of tokens (L,), labels (L,) or None, and puzzle identifier; memory-mapped.

    ``folder`` holds ``*__inputs.npy`` itself or in ``test/`` (taken first) or ``train/``.

    Raises:
        PuzzleError: files are missing, misshapen, pickled, or hold ids outside the vocabulary.
    """
    for inputs_path in _input_files(folder):
        prefix = inputs_path.name.removesuffix("inputs.npy")
        inputs = _load(inputs_path, 2)
        if inputs.shape[1] != seq_len:
            raise PuzzleError(
                f"{inputs_path} has rows of {inputs.shape[1]} tokens, but the model takes "
                f"{seq_len}."
            )
        labels = _optional(inputs_path.with_name(f"{prefix}labels.npy"), 2)
        if labels is not None and labels.shape != inputs.shape:
            raise PuzzleError(
                f"{inputs_path.with_name(f'{prefix}labels.npy')} has shape {labels.shape}, but "
                f"{inputs_path.name} has {inputs.shape}."
            )
        identifiers = _identifiers(inputs_path, prefix, len(inputs))
        for row in range(len(inputs)):
            tokens = np.asarray(inputs[row], np.int32)
            if tokens.min() < 0 or tokens.max() >= vocab_size:
                raise PuzzleError(
                    f"{inputs_path}, row {row + 1}: token ids must lie in 0..{vocab_size - 1}, "
                    f"but got {tokens.min()}..{tokens.max()}."
                )
            label = None
            if labels is not None:
                label = np.maximum(np.asarray(labels[row], np.int32), IGNORED)
            yield tokens, label, int(identifiers[row])


def _input_files(folder: Path) -> list[Path]:
    for place in (folder, folder / "test", folder / "train"):
        found = sorted(place.glob("*__inputs.npy"))
        if found:
            return found
    raise PuzzleError(
        f"{folder} is no dataset folder: there is no *__inputs.npy in it, in test/ or in train/."
    )


def _identifiers(inputs_path: Path, prefix: str, count: int) -> NDArray[np.int64]:
    """The identifier of every row: examples of one puzzle are consecutive (puzzle_indices)."""
    by_puzzle = _optional(inputs_path.with_name(f"{prefix}puzzle_identifiers.npy"), 1)
    if by_puzzle is None:
        return np.zeros(count, np.int64)
    starts = _optional(inputs_path.with_name(f"{prefix}puzzle_indices.npy"), 1)
    if starts is None:
        if len(by_puzzle) != count:
            raise PuzzleError(
                f"{inputs_path.with_name(f'{prefix}puzzle_identifiers.npy')} has {len(by_puzzle)} "
                f"entries for {count} rows, and there is no {prefix}puzzle_indices.npy."
            )
        return by_puzzle.astype(np.int64)
    if len(starts) != len(by_puzzle) + 1 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise PuzzleError(
            f"{inputs_path.with_name(f'{prefix}puzzle_indices.npy')} must rise from 0 to {count} "
            f"with {len(by_puzzle) + 1} entries, but has {len(starts)} and ends at "
            f"{starts[-1] if len(starts) else 'nothing'}."
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
