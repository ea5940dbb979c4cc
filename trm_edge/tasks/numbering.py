"""The row of the puzzle-embedding table for each identifier of a dataset.

Both number puzzles from 0, but not always the same ones: a dataset that was built again, or another
selection of puzzles, has other numbers. Where both know the names, rows are found by name.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import PuzzleError
from trm_edge.files import read_bytes
from trm_edge.identifiers import (
    BLANK,
    IDENTIFIERS_NAME,
    NO_ROW,
    NamesError,
    RowNames,
    read_names,
)
from trm_edge.json_text import parse_json
from trm_edge.printable import excerpt

logger = logging.getLogger(__name__)

METADATA_NAME = "dataset.json"
_LARGEST_METADATA = 1 << 16  # bytes
_BLANK_ALONE = 1  # identifiers of a dataset that does not tell its puzzles apart


class UnknownIdentifierError(Exception):
    """The model has no row for an identifier; the message says which, for a person."""


class Numbering:
    """Rows by identifier: the same numbers, or found by name.

    Args:
        rows: N, of the model's table.
        names: of the dataset's identifiers, where rows are found by name.
        row_of: (M,) int64, the row of each of them; -1 where the model has none.
        source: the file that the names are from.
    """

    def __init__(
        self,
        rows: int,
        names: Sequence[str] = (),
        row_of: NDArray[np.int64] | None = None,
        source: Path | None = None,
    ) -> None:
        self._rows = rows
        self._names = names
        self._row_of = row_of
        self._source = source

    def row(self, identifier: int) -> int:
        """Find the row of an identifier.

        Args:
            identifier: of the dataset.

        Raises:
            UnknownIdentifierError: there is no such row.
        """
        if self._row_of is None:
            if 0 <= identifier < self._rows:
                return identifier
            raise UnknownIdentifierError(
                f"puzzle identifier must lie in 0..{self._rows - 1}, but got {identifier}"
            )
        if not 0 <= identifier < len(self._names):
            raise UnknownIdentifierError(
                f"puzzle identifier must lie in 0..{len(self._names) - 1}, as {self._source} has "
                f"{len(self._names)} names, but got {identifier}"
            )
        row = int(self._row_of[identifier])
        if row == NO_ROW:
            raise UnknownIdentifierError(
                f"the model has no row for {excerpt(self._names[identifier], 60)} (identifier "
                f"{identifier} of {self._source})"
            )
        return row


def numbering_of(folder: Path, rows: int, row_names: RowNames | None) -> Numbering:
    """Compare a dataset's identifiers with a model's rows; what differs is logged.

    Args:
        folder: the dataset's folder, or one of its splits.
        rows: N, of the model's table.
        row_names: the names of the rows, or None where they are unknown.

    Raises:
        PuzzleError: the dataset's ``identifiers.json`` is not a list of names.
        BundleError: the names of the rows cannot be read.
    """
    if rows == 1:  # the model does not tell puzzles apart
        return Numbering(rows)
    path = _names_path(folder)
    if path is None or row_names is None or row_names.names() is None:
        _warn_of_other_count(folder, path, rows)
        return Numbering(rows)
    names = _names_in(path)
    if row_names.are(names):
        return Numbering(rows)
    row_of = row_names.rows(names)
    _log_differences(path, names, row_of)
    return Numbering(rows, names, row_of, path)


def _log_differences(path: Path, names: Sequence[str], row_of: NDArray[np.int64]) -> None:
    puzzles = len(names) - names.count(BLANK)
    if puzzles and not _puzzle_rows(names, row_of):
        logger.warning(
            "the model has no row for any of the %d puzzles that %s names: it was trained on "
            "another dataset. Pass the dataset of its run, or the model that was trained on this "
            "one",
            puzzles,
            path,
        )
        return
    unknown = int((row_of == NO_ROW).sum())
    moved = int((row_of != np.arange(len(row_of))).sum()) - unknown
    if moved:
        logger.info(
            "%s numbers its puzzles otherwise than the model: %d of %d are found by name",
            path,
            moved,
            len(row_of),
        )
    if unknown:
        logger.warning(
            "%s names %d puzzles, and the model has no row for %d of them, which are left out",
            path,
            len(row_of),
            unknown,
        )


def _puzzle_rows(names: Sequence[str], row_of: NDArray[np.int64]) -> int:
    """How many names of puzzles have a row; blank ones are of none."""
    count = 0
    for name, row in zip(names, row_of, strict=True):
        count += name != BLANK and row != NO_ROW
    return count


def _names_path(folder: Path) -> Path | None:
    """The file of a dataset's names: in its folder, or above the folder of a split."""
    candidates = [folder / IDENTIFIERS_NAME]
    if any(folder.glob("*__inputs.npy")):
        candidates.append(folder.resolve().parent / IDENTIFIERS_NAME)
    for path in candidates:
        if path.exists():
            return path
    return None


def _names_in(path: Path) -> list[str]:
    try:
        return read_names(path)
    except NamesError as error:
        raise PuzzleError(
            f"{path} does not name the puzzles: {error}. Copy the file of the dataset again, or "
            "move it away if the dataset numbers its puzzles as the model's rows."
        ) from error


def _warn_of_other_count(folder: Path, path: Path | None, rows: int) -> None:
    """Warn where numbers alone are compared, and they are not as many."""
    if path is None:
        count = _count_of(folder)
        lacking = f"it has no {IDENTIFIERS_NAME}"
    else:
        count = len(_names_in(path))
        lacking = f"the model was exported without an {IDENTIFIERS_NAME}"
    if count in (None, _BLANK_ALONE, rows):
        return
    logger.warning(
        "%s numbers %d puzzles, but the model has %d rows, and %s: a number may stand for another "
        "puzzle than the model was trained on",
        folder,
        count,
        rows,
        lacking,
    )


def _count_of(folder: Path) -> int | None:
    """The number of identifiers that a dataset says it has; None where it does not say."""
    for part in (folder, folder / "test", folder / "train"):
        try:
            values = parse_json(read_bytes(part / METADATA_NAME, _LARGEST_METADATA))
        except (OSError, ValueError, RecursionError):
            continue
        count = values.get("num_puzzle_identifiers") if isinstance(values, dict) else None
        if type(count) is int:
            return count
    return None
