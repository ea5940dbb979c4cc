"""The puzzle-embedding table of a bundle: mapped into memory, so that only needed rows are read.

A table is stored as float32, ``puzzle_embeddings.npy`` (N, E), or as INT8: the codes (N, E) in
``puzzle_embeddings.int8.npy`` and a scale for each row (N,) in ``puzzle_embeddings.scale.npy``. A
row is then its codes times its scale.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.arrays import ArrayError, map_array
from trm_edge.config import ModelConfig
from trm_edge.errors import BundleError
from trm_edge.verified_files import VerifiedFiles

PUZZLE_EMBEDDINGS = "puzzle_embeddings.npy"
INT8_CODES = "puzzle_embeddings.int8.npy"
INT8_SCALES = "puzzle_embeddings.scale.npy"
TABLE_FILES = (PUZZLE_EMBEDDINGS, INT8_CODES, INT8_SCALES)
_LARGEST_CODE = 127


class Int8Rows:
    """A table (N, E) of INT8 rows; what is taken from it by index is float32.

    Args:
        codes: (N, E) int8, may be memory-mapped.
        scales: (N,) float32, may be memory-mapped.

    >>> rows = Int8Rows(np.array([[127, -64]], np.int8), np.array([0.5], np.float32))
    >>> rows[0].tolist()
    [63.5, -32.0]
    """

    def __init__(self, codes: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        self._codes = codes
        self._scales = scales

    @property
    def shape(self) -> tuple[int, ...]:
        """N and E."""
        return self._codes.shape

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        codes = np.asarray(self._codes[rows], np.float32)
        scales = np.asarray(self._scales[rows])[..., np.newaxis]
        values: NDArray[np.float32] = codes * scales
        return values


if TYPE_CHECKING:
    PuzzleTable = NDArray[np.float32] | Int8Rows  # of both, rows are taken by index
else:
    PuzzleTable = Any


def quantize_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round rows to INT8, each with the scale at which its largest magnitude is 127.

    Args:
        rows: (n, E) float32, finite.

    Returns:
        The codes (n, E) int8 and the scales (n,) float32; a row of zeros has the scale 0.

    >>> codes, scales = quantize_rows(np.array([[1.0, -0.5], [0.0, 0.0]], np.float32))
    >>> codes.tolist(), scales.round(4).tolist()
    ([[127, -64], [0, 0]], [0.007899999618530273, 0.0])
    """
    scales = (np.abs(rows).max(1) / np.float32(_LARGEST_CODE)).astype(np.float32)
    divisors = np.where(scales > 0, scales, np.float32(1))
    codes = np.rint(rows / divisors[:, np.newaxis])
    limited = np.clip(codes, -_LARGEST_CODE, _LARGEST_CODE)
    return limited.astype(np.int8), scales


def open_table(files: VerifiedFiles, config: ModelConfig) -> PuzzleTable | None:
    """Map the table of a bundle into memory, and compare its shape and type with the model's.

    Args:
        files: of the bundle.
        config: the model.

    Returns:
        The table (N, E); None where the bundle has none.

    Raises:
        BundleError: a file is missing or was changed, or has another shape or type.
    """
    count = config.num_puzzle_identifiers
    shape = (count, config.puzzle_emb_ndim)
    if PUZZLE_EMBEDDINGS in files.records:
        table: NDArray[np.float32] = _map(files, PUZZLE_EMBEDDINGS, shape, np.float32)
        return table
    if INT8_CODES not in files.records:
        return None
    if INT8_SCALES not in files.records:
        raise BundleError(
            f"{files.folder / INT8_CODES} is there without {INT8_SCALES}. Export the bundle again."
        )
    codes = _map(files, INT8_CODES, shape, np.int8)
    scales = _map(files, INT8_SCALES, (count,), np.float32)
    return Int8Rows(codes, scales)


def map_int8_rows(folder: Path) -> Int8Rows:
    """Map INT8 rows that were just written.

    Args:
        folder: that holds the codes and the scales.

    Raises:
        OSError: a file cannot be read.
    """
    codes = np.load(folder / INT8_CODES, mmap_mode="r")
    return Int8Rows(codes, np.load(folder / INT8_SCALES))


def _map(files: VerifiedFiles, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    with files.open(name) as file:
        try:
            return map_array(file, files.records[name].size, shape, np.dtype(dtype))
        except ArrayError as error:
            raise BundleError(
                f"{files.folder / name} is not the model's table of puzzle embeddings: {error}. "
                "Export the bundle again."
            ) from error
