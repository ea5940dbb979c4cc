"""Rows of a Parquet file in blocks whose memory is bounded before they are unpacked.

A few hundred bytes may stand for any number of repetitions of a text or a token id. So text is read
as a dictionary, which holds each text once, and is measured before it is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trm_edge.batch.parquet_columns import MOST_LENGTH, Column
from trm_edge.batch.parquet_file import open_parquet
from trm_edge.batch.source import BLOCK_ROWS
from trm_edge.errors import PuzzleError
from trm_edge.tasks.text_formats import ID_COLUMN

MOST_BLOCK_BYTES = 16 << 20  # of text and token ids, unpacked; one row may have more
MOST_PREFIXED_BYTES = 256 << 20  # of text that is read at once where texts share their beginnings
_READ_ROWS = 8 * BLOCK_ROWS  # at once, since each reading hashes the dictionary again
_READINGS = 16  # of a large row group, for the same reason
_READ_BYTES = 4 << 20  # that are read at once of a column, in rows of the usual length
_ID_BYTES = 8
_SHARED_BEGINNINGS = "DELTA_BYTE_ARRAY"  # the encoding that cannot be read as a dictionary
_OF_ANSWERS = ("answer", "labels")


class _Piece(NamedTuple):
    """Consecutive rows.

    Args:
        table: n rows, with the columns' roles as names, and ``error``.
        size: bytes of their text and token ids.
    """

    table: pa.Table
    size: int


def read_rows(path: Path, columns: Sequence[Column]) -> Iterator[pa.Table]:
    """Read the rows of a file.

    Args:
        path: of the file.
        columns: that are read.

    Returns:
        Tables of at most ``BLOCK_ROWS`` rows and, unless it is one row, ``MOST_BLOCK_BYTES`` of
        text and token ids. Their columns are the roles and ``error``, which says what of a row is
        too long to be read and is null instead. An id that is missing in the file is empty.

    Raises:
        PuzzleError: the file cannot be read, is damaged, or has fewer rows than it says.
    """
    with open_parquet(path) as file:
        dictionaries = _readable_as_dictionaries(file.metadata, columns)
    count = 0
    with open_parquet(path, dictionaries) as file:
        expected = file.metadata.num_rows
        for table in _joined(_pieces(file, columns)):
            count += len(table)
            yield table
    if count != expected:
        raise PuzzleError(
            f"{path} has {count:,} rows, but says it has {expected:,}. Copy or write it again."
        )


def _readable_as_dictionaries(metadata: pq.FileMetaData, columns: Sequence[Column]) -> list[str]:
    """The names of the columns of text, but for those that share beginnings anywhere."""
    names = {column.name for column in columns if column.is_text}
    for group in range(metadata.num_row_groups):
        for chunk in _chunks(metadata.row_group(group)):
            if _SHARED_BEGINNINGS in chunk.encodings:
                names.discard(chunk.path_in_schema)
    return sorted(names)


def _chunks(group: pq.RowGroupMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    for number in range(group.num_columns):
        yield group.column(number)


def _pieces(file: pq.ParquetFile, columns: Sequence[Column]) -> Iterator[_Piece]:
    """The rows of each row group in pieces that are small once unpacked."""
    names = [column.name for column in columns]
    for number in range(file.metadata.num_row_groups):
        rows = _rows_at_once(file.metadata.row_group(number), columns)
        batches = file.iter_batches(rows, row_groups=[number], columns=names, use_threads=False)
        for batch in batches:
            yield from _cut(batch, columns)


def _rows_at_once(group: pq.RowGroupMetaData, columns: Sequence[Column]) -> int:
    """How many rows of a row group are read at once, before their sizes can be told."""
    count = max(int(group.num_rows), 1)
    rows = max(_READ_ROWS, count // _READINGS)
    chunks = {chunk.path_in_schema.partition(".")[0]: chunk for chunk in _chunks(group)}
    for column in columns:
        chunk = chunks.get(column.name)
        if chunk is None:
            raise pa.ArrowInvalid(f"a row group has no column {column.name}")
        stored = int(chunk.total_uncompressed_size)
        if column.is_lists:
            length = column.width or int(chunk.num_values) // count
            rows = min(rows, _READ_BYTES // max(length * _ID_BYTES, 1))
        elif column.is_text and _SHARED_BEGINNINGS in chunk.encodings:
            # No text is longer than all that is stored of them.
            rows = min(rows, MOST_PREFIXED_BYTES // max(stored, 1))
        elif column.is_text:
            rows = min(rows, _READ_BYTES // max(stored // count, 1))
    return max(rows, 1)


def _cut(batch: pa.RecordBatch, columns: Sequence[Column]) -> Iterator[_Piece]:
    """Unpack a batch piece by piece."""
    longest = 0  # bytes that a row can have
    none_is_too_long = True
    for column in columns:
        # Texts beside their dictionary, which would be read, and texts that are not UTF-8.
        batch[column.name].validate(full=True)
        most = _longest(batch[column.name], column)
        longest += most * _unit(column)
        none_is_too_long = none_is_too_long and most <= MOST_LENGTH
    if none_is_too_long and longest * BLOCK_ROWS <= MOST_BLOCK_BYTES:
        for start in range(0, batch.num_rows, BLOCK_ROWS):
            rows = batch.slice(start, BLOCK_ROWS)
            yield _Piece(_unpacked(rows, columns, {}), rows.num_rows * longest)
    else:
        yield from _cut_by_size(batch, columns)


def _cut_by_size(batch: pa.RecordBatch, columns: Sequence[Column]) -> Iterator[_Piece]:
    """Unpack a batch with long rows, or with some that are too long."""
    sizes: NDArray[np.int64] = np.zeros(batch.num_rows, np.int64)
    too_long: dict[str, NDArray[np.bool_]] = {}
    for column in columns:
        lengths, is_long = _lengths(batch[column.name], column)
        sizes += np.where(is_long, 0, lengths * _unit(column))
        too_long[column.name] = is_long
    ends = np.cumsum(sizes)
    start = 0
    while start < batch.num_rows:
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + MOST_BLOCK_BYTES, side="right"))
        stop = min(max(fitting, start + 1), start + BLOCK_ROWS)
        stop = min(stop, batch.num_rows)
        is_long_of = {name: is_long[start:stop] for name, is_long in too_long.items()}
        table = _unpacked(batch.slice(start, stop - start), columns, is_long_of)
        yield _Piece(table, int(ends[stop - 1]) - before)
        start = stop


def _unpacked(
    batch: pa.RecordBatch, columns: Sequence[Column], too_long: Mapping[str, NDArray[np.bool_]]
) -> pa.Table:
    """Rows with the columns' roles as names; what is too long is null, and ``error`` says so."""
    count = batch.num_rows
    arrays: dict[str, pa.Array] = {}
    errors = pa.nulls(count, pa.string())
    for column in columns:
        values = batch[column.name]
        is_missing = pc.is_null(values)
        is_long = too_long.get(column.name)
        if is_long is not None and is_long.any():
            values = values.take(pa.array(np.arange(count), mask=is_long))
            reasons = pc.if_else(pa.array(is_long), _reason(column), None)
            errors = pc.coalesce(errors, reasons)
        unpacked = values.cast(column.kind, safe=False)
        if column.role == ID_COLUMN:
            unpacked = pc.if_else(is_missing, "", unpacked)
        arrays[column.role] = unpacked
    arrays["error"] = errors
    return pa.table(arrays)


def _reason(column: Column) -> str:
    """Why a row has failed whose value in a column is too long."""
    unit = "token ids" if column.is_lists else "characters"
    limit = f"{MOST_LENGTH:,} {unit}"
    if column.role in _OF_ANSWERS:
        return f"answer: longer than {limit}"
    if column.role == ID_COLUMN:
        return f"id: longer than {limit}"
    return f"longer than {limit}"


def _unit(column: Column) -> int:
    """Bytes of a token id or of a byte of text; a number needs none worth counting."""
    if column.is_lists:
        return _ID_BYTES
    return 1 if column.is_text else 0


def _longest(values: pa.Array, column: Column) -> int:
    """Token ids of the longest list, or bytes of the longest text; 0 for numbers."""
    if column.width is not None:
        return column.width
    if column.is_lists:
        return int(pc.max(pc.list_value_length(values)).as_py() or 0)
    if not column.is_text:
        return 0
    texts = values.dictionary if pa.types.is_dictionary(values.type) else values
    return int(pc.max(pc.binary_length(texts)).as_py() or 0)


def _lengths(values: pa.Array, column: Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Token ids or bytes of each row, and whether it has more ids or characters than any puzzle."""
    if column.width is not None:  # which a row has even where it is null
        return np.full(len(values), column.width), np.zeros(len(values), np.bool_)
    if column.is_lists:
        lengths = _ints(pc.list_value_length(values))
        return lengths, lengths > MOST_LENGTH
    if not column.is_text:
        return np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
    characters = _ints(_of_texts(values, pc.utf8_length))
    return _ints(_of_texts(values, pc.binary_length)), characters > MOST_LENGTH


def _of_texts(values: pa.Array, measure: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Measure texts, each text of a dictionary once."""
    if pa.types.is_dictionary(values.type):
        return measure(values.dictionary).take(values.indices)
    return measure(values)


def _ints(numbers: pa.Array) -> NDArray[np.int64]:
    """Numbers, with 0 where one is null."""
    filled = pc.fill_null(numbers.cast(pa.int64()), 0)
    ints: NDArray[np.int64] = filled.to_numpy(zero_copy_only=False)
    return ints


def _joined(pieces: Iterable[_Piece]) -> Iterator[pa.Table]:
    """Join small pieces, such as those of small row groups."""
    waiting: list[pa.Table] = []
    rows = 0
    size = 0
    for piece in pieces:
        fits = rows + len(piece.table) <= BLOCK_ROWS and size + piece.size <= MOST_BLOCK_BYTES
        if waiting and not fits:
            yield pa.concat_tables(waiting)
            waiting = []
            rows = 0
            size = 0
        waiting.append(piece.table)
        rows += len(piece.table)
        size += piece.size
    if waiting:
        yield pa.concat_tables(waiting)
