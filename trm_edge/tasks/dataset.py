"""The published trainer's dataset folders: ``{split}/{set}__inputs.npy`` and its companions."""

from __future__ import annotations

import stat
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError

IGNORED = 0  # label of cells that the loss leaves out
IGNORED_UPSTREAM = -100  # the same, as PyTorch's loss knows it
_MAGIC = b"\x93NUMPY"
_HEADER_START = 12  # bytes: magic, version, and the length of the header
_LONGEST_HEADER = 10_000  # bytes, as numpy's own limit
# What numpy raises for headers that are not ones.
_UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    SyntaxError,
    AttributeError,
    IndexError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)


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


def is_folder(path: Path) -> bool:
    """Tell whether a path is a folder; False for one that no file can have.

    Args:
        path: of a file or folder.
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


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
    for inputs_path in input_files(folder):
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
            tokens = _checked(inputs[row], vocab_size, f"{inputs_path}, row {row + 1}")
            answer = None
            if labels is not None:
                answer = _labels(labels[row], vocab_size, f"{labels_path}, row {row + 1}")
            yield DatasetRow(tokens, answer, int(identifiers[row]))


def _checked(row: NDArray[Any], vocab_size: int, place: str) -> NDArray[np.int32]:
    """Compare ids with the vocabulary in their own type; int32 would cut wider ones."""
    lowest = int(row.min())
    highest = int(row.max())
    if lowest < 0 or highest >= vocab_size:
        raise PuzzleError(
            f"{place}: token ids must lie in 0..{vocab_size - 1}, but got {lowest}..{highest}."
        )
    return row.astype(np.int32)


def _labels(row: NDArray[Any], vocab_size: int, place: str) -> NDArray[np.int32]:
    if row.dtype.kind == "i":
        row = np.where(row == IGNORED_UPSTREAM, row.dtype.type(IGNORED), row)
    return _checked(row, vocab_size, place)


def input_files(folder: Path) -> list[Path]:
    """List the files of a dataset's puzzles.

    Args:
        folder: holds ``*__inputs.npy`` itself, or in ``test/`` (tried first) or ``train/``.

    Raises:
        PuzzleError: there are none.
    """
    for split in (folder, folder / "test", folder / "train"):
        paths = sorted(split.glob("*__inputs.npy"))
        if paths:
            return paths
    raise PuzzleError(
        f"{folder} is not a dataset folder: there is no *__inputs.npy in it, in test/ or in train/."
    )


def _identifiers(inputs_path: Path, prefix: str, count: int) -> NDArray[np.integer]:
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
        return by_puzzle
    first = int(starts[0]) if len(starts) else None
    end = int(starts[-1]) if len(starts) else None
    rises = bool((starts[1:] >= starts[:-1]).all())
    if len(starts) != len(by_puzzle) + 1 or (first, end) != (0, count) or not rises:
        falls = "" if rises else ", and falls in between"
        begins = "" if first in (0, None) else f", begins at {first}"
        raise PuzzleError(
            f"{indices_path} must rise from 0 to {count} with {len(by_puzzle) + 1} entries, but "
            f"has {len(starts)}{begins} and ends at {end}{falls}."
        )
    # They lie in 0..count now, so that the rows are as many as the inputs.
    offsets = starts.astype(np.int64)
    return np.repeat(by_puzzle, offsets[1:] - offsets[:-1])


def _optional(path: Path, axes: int) -> NDArray[np.integer] | None:
    return _load(path, axes) if path.is_file() else None


def _load(path: Path, axes: int) -> NDArray[np.integer]:
    """Map an array into memory, after its header alone was looked at.

    Raises:
        PuzzleError: it is not a plain array of integers with as many axes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise PuzzleError(f"{path} is not a file. Pass the folder that the trainer wrote.")
        with path.open("rb") as file:
            _check_header(file.read(_HEADER_START), path)
        # numpy compares the shape with the file's size before it maps it.
        array: NDArray[np.integer] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (*_UNREADABLE, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PuzzleError(f"{path} cannot be read as a plain .npy array: {reason}.") from error
    if array.ndim != axes or not np.issubdtype(array.dtype, np.integer):
        raise PuzzleError(
            f"{path} must be an integer array with {axes} axes, but has type "
            f"{str(array.dtype)[:80]} and shape {array.shape}."
        )
    return array


def _check_header(start: bytes, path: Path) -> None:
    """Refuse a file that does not begin as an array, or whose header is far too long.

    Raises:
        PuzzleError: says what the file is.
    """
    if start.startswith(b"PK"):
        raise PuzzleError(
            f"{path} cannot be read as a plain .npy array: it is an .npz archive. Save the array "
            "alone with numpy.save."
        )
    if len(start) < _HEADER_START or not start.startswith(_MAGIC):
        raise PuzzleError(
            f"{path} cannot be read as a plain .npy array: it does not begin as one. Write it "
            "again with numpy.save."
        )
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > _LONGEST_HEADER:
        raise PuzzleError(
            f"{path} cannot be read as a plain .npy array: its header is said to have {length:,} "
            f"bytes, but at most {_LONGEST_HEADER:,} are read."
        )
