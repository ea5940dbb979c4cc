"""Predictions for the rows of a dataset, in an ``.npz`` file.

The arrays have the names that the published evaluator uses, so what it saves can be voted on; an
array ``format`` says what the file is and may be missing. Nothing is unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.arrays import ArrayError, read_open_npz
from trm_edge.errors import PuzzleError
from trm_edge.files import error_reason, open_regular, replace_file
from trm_edge.records import Format

FORMAT = Format("trm-edge.predictions", 1)
LARGEST_FILE = 4 << 30  # bytes of all arrays; a million rows of int8 need 1.8 GB
_INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
_DTYPES = {
    "puzzle_identifiers": ("int32", "int64", "int16", "uint8"),
    "inputs": _INTEGERS,
    "preds": _INTEGERS,
    "q_halt_logits": ("float32", "float64", "float16"),
}
_OPTIONAL = {"format": ("str",)}


@dataclass(frozen=True)
class Predictions:
    """What a model answered, row by row, in the order of arrival.

    Args:
        identifiers: (N,) row of the puzzle-embedding table; 0 for a row that only fills a batch.
        inputs: (N, 900) uint8 tokens of the question.
        predictions: (N, 900) uint8 tokens that the last step answered.
        q_halt: (N,) float64 logit of halting at the last step.
    """

    identifiers: NDArray[np.int64]
    inputs: NDArray[np.uint8]
    predictions: NDArray[np.uint8]
    q_halt: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.identifiers)

    @classmethod
    def empty(cls) -> Predictions:
        """Make predictions without a row."""
        tokens = np.zeros((0, CELLS), np.uint8)
        return cls(np.zeros(0, np.int64), tokens, tokens, np.zeros(0))

    def rows(self, start: int, stop: int) -> Predictions:
        """Take some of the rows.

        Args:
            start: the first.
            stop: the one after the last.
        """
        part = slice(start, stop)
        return Predictions(
            self.identifiers[part], self.inputs[part], self.predictions[part], self.q_halt[part]
        )

    def joined(self, others: Predictions) -> Predictions:
        """Append rows.

        Args:
            others: to append.
        """
        return Predictions(
            np.concatenate([self.identifiers, others.identifiers]),
            np.concatenate([self.inputs, others.inputs]),
            np.concatenate([self.predictions, others.predictions]),
            np.concatenate([self.q_halt, others.q_halt]),
        )

    def write(self, path: Path) -> None:
        """Write an ``.npz`` file, whole or not at all.

        Args:
            path: the file; one that exists is replaced.

        Raises:
            OutputError: the file cannot be written.
        """
        with replace_file(path) as file:
            np.savez_compressed(
                file,
                format=np.array(str(FORMAT)),
                puzzle_identifiers=self.identifiers.astype(np.int32),
                inputs=self.inputs,
                preds=self.predictions,
                q_halt_logits=self.q_halt.astype(np.float32),
            )


def read_predictions(path: Path) -> Predictions:
    """Read predictions.

    Args:
        path: an ``.npz`` file.

    Raises:
        PuzzleError: it cannot be read, lacks an array, or one has another shape, type or range.
    """
    try:
        with open_regular(path) as file:
            arrays = read_open_npz(file, _DTYPES, limit=LARGEST_FILE, optional=_OPTIONAL)
    except FileNotFoundError as error:
        raise PuzzleError(f"{path} does not exist.") from error
    except OSError as error:
        raise PuzzleError(f"{path} cannot be read: {error_reason(error)}.") from error
    except ArrayError as error:
        raise PuzzleError(f"{path} does not hold predictions: {error}.") from error
    _check_format(arrays.get("format"), path)
    _check_shapes(arrays, path)
    q_halt = arrays["q_halt_logits"].astype(np.float64)
    if np.isnan(q_halt).any():
        raise PuzzleError(
            f"{path}: q_halt_logits is not a number at row {int(np.isnan(q_halt).argmax())}."
        )
    return Predictions(
        arrays["puzzle_identifiers"].astype(np.int64),
        _tokens(arrays["inputs"], f"{path}: inputs"),
        _tokens(arrays["preds"], f"{path}: preds"),
        q_halt,
    )


def _check_format(array: NDArray[Any] | None, path: Path) -> None:
    if array is None:
        return
    line = str(array[()]) if array.ndim == 0 else ""
    actual = Format.parse(line)
    if actual is None or actual.family != FORMAT.family:
        raise PuzzleError(f"{path}: its format is {line[:60]!r}, expected {str(FORMAT)!r}.")
    if actual.version > FORMAT.version:
        raise PuzzleError(
            f"{path} has format {actual}, but this version of trm-edge reads {FORMAT}. Upgrade "
            "with: pip install --upgrade trm-edge"
        )


def _check_shapes(arrays: dict[str, NDArray[Any]], path: Path) -> None:
    rows = arrays["puzzle_identifiers"].size
    shapes = {
        "puzzle_identifiers": (rows,),
        "inputs": (rows, CELLS),
        "preds": (rows, CELLS),
        "q_halt_logits": (rows,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise PuzzleError(
                f"{path}: {name} must have shape {shape}, but has {arrays[name].shape}."
            )


def _tokens(array: NDArray[Any], place: str) -> NDArray[np.uint8]:
    if array.size:
        lowest = int(array.min())
        highest = int(array.max())
        if lowest < 0 or highest >= VOCAB_SIZE:
            raise PuzzleError(
                f"{place} must be token ids in 0..{VOCAB_SIZE - 1}, but lie in {lowest}..{highest}."
            )
    return array.astype(np.uint8, copy=False)
