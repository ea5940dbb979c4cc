"""Write the rows of the puzzle-embedding table into a bundle, a block at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge.array_writer import ArrayWriter
from trm_edge.errors import ExportError
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.manifest import RowsRecord, RowType
from trm_edge.puzzle_table import (
    INT8_CODES,
    INT8_SCALES,
    PUZZLE_EMBEDDINGS,
    PuzzleTable,
    map_int8_rows,
    quantize_rows,
)
from trm_edge.row_names_file import write_names

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 16 << 20  # of float32 rows that are converted together


def write_table(
    folder: Path, checkpoint: Checkpoint, row_type: RowType
) -> tuple[PuzzleTable | None, RowsRecord | None]:
    """Write a checkpoint's puzzle embeddings and their names, where it has any.

    Args:
        folder: of the bundle.
        checkpoint: the trained model.
        row_type: how the rows are stored.

    Returns:
        The table as a bundle's reader sees it; and its record, where it is not the whole table in
        float32.

    Raises:
        ExportError: a row cannot be rounded, because it is not finite.
        OSError: a file cannot be written.
    """
    table = checkpoint.puzzle_embeddings
    if table is None:
        return None, None
    if checkpoint.identifiers is not None:
        write_names(folder, checkpoint.identifiers)
    checkpoint_rows = checkpoint.table_rows or len(table)
    stored, rows = write_rows(folder, table, row_type, checkpoint_rows)
    if row_type == "float32" and checkpoint_rows == len(table):
        return stored, None
    return stored, rows


def write_rows(
    folder: Path, table: NDArray[np.float32], row_type: RowType, checkpoint_rows: int
) -> tuple[PuzzleTable, RowsRecord]:
    """Write a table; no second copy of it is held in memory.

    Args:
        folder: of the bundle.
        table: (N, E) float32, may be memory-mapped.
        row_type: how the rows are stored.
        checkpoint_rows: rows of the checkpoint's table, of which these are a part or all.

    Returns:
        The table as a bundle's reader sees it, and what the manifest says of it.

    Raises:
        ExportError: a row cannot be rounded, because it is not finite.
        OSError: a file cannot be written.
    """
    if row_type == "int8":
        return _write_int8(folder, table, checkpoint_rows)
    with ArrayWriter(folder / PUZZLE_EMBEDDINGS, table.shape, np.dtype(np.float32)) as writer:
        for block in _blocks(table):
            writer.write(block)
    return table, RowsRecord(row_type, checkpoint_rows)


def _write_int8(
    folder: Path, table: NDArray[np.float32], checkpoint_rows: int
) -> tuple[PuzzleTable, RowsRecord]:
    errors = _RowErrors()
    codes_writer = ArrayWriter(folder / INT8_CODES, table.shape, np.dtype(np.int8))
    scales_writer = ArrayWriter(folder / INT8_SCALES, table.shape[:1], np.dtype(np.float32))
    with codes_writer, scales_writer:
        for block in _blocks(table):
            if not np.isfinite(block).all():
                raise ExportError(
                    "the puzzle-embedding table holds values that are not finite, which INT8 "
                    "cannot store. Check the checkpoint, or leave out --int8-rows."
                )
            codes, scales = quantize_rows(block)
            codes_writer.write(codes)
            scales_writer.write(scales)
            errors.add(block, codes * scales[:, np.newaxis])
    record = RowsRecord("int8", checkpoint_rows, errors.mean, errors.largest)
    logger.info(
        "stored %d puzzle embeddings as INT8: a row is off by %.2f %% of its length in the mean, "
        "and by %.2f %% at most",
        len(table),
        100 * record.mean_error,
        100 * record.max_error,
    )
    return map_int8_rows(folder), record


class _RowErrors:
    """Sums up how far rows are off, as shares of their lengths; rows of zeros are exact."""

    def __init__(self) -> None:
        self.largest = 0.0
        self._sum = 0.0
        self._count = 0

    @property
    def mean(self) -> float:
        return self._sum / max(self._count, 1)

    def add(self, rows: NDArray[np.float32], stored: NDArray[np.float32]) -> None:
        lengths = np.linalg.norm(rows, axis=1)
        errors = np.linalg.norm(rows - stored, axis=1) / np.where(lengths > 0, lengths, 1)
        self.largest = max(self.largest, float(errors.max()))
        self._sum += float(errors.sum(dtype=np.float64))
        self._count += len(rows)


def _blocks(table: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    rows = max(1, _BLOCK_BYTES // max(1, table.shape[1] * table.dtype.itemsize))
    for start in range(0, len(table), rows):
        yield np.asarray(table[start : start + rows])
