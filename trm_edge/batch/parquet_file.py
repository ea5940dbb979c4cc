"""Parquet files that may be damaged or lie about their size: what they say is bounded first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from trm_edge.errors import PuzzleError
from trm_edge.files import error_reason, open_regular

MAGIC = b"PAR1"
MOST_FOOTER_BYTES = 64 << 20
MOST_COLUMN_BYTES = 1 << 30  # of a column in one row group, which is read as a whole
MOST_VALUES = MOST_COLUMN_BYTES // 8  # in the lists of a row group, as 64-bit whole numbers
_TAIL = 8  # bytes after the footer: its length, and MAGIC
_SMALLER = "such as pyarrow.parquet.write_table(..., row_group_size=100_000)"
_STRING_BYTES = 32 << 20
_CONTAINER_ITEMS = 1 << 20


@contextmanager
def open_parquet(path: Path, dictionaries: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """Open a file, after its size was compared with what its end says.

    Args:
        path: of the file.
        dictionaries: names of the columns of text that are read as dictionaries.

    Raises:
        PuzzleError: it cannot be read, is cut off or damaged; on what is read in the block, too.
    """
    try:
        # pyarrow leaves a file open whose footer it cannot read, and wants names in UTF-8.
        with open_regular(path) as stream:
            _check_footer(path, stream)
            with pq.ParquetFile(
                stream,
                read_dictionary=list(dictionaries),
                pre_buffer=False,
                thrift_string_size_limit=_STRING_BYTES,
                thrift_container_size_limit=_CONTAINER_ITEMS,
            ) as file:
                yield file
    except OSError as error:
        reason = error_reason(error) if error.errno else _first_line(error)
        raise PuzzleError(_unreadable(path, reason)) from error
    except (pa.ArrowException, ValueError, MemoryError) as error:
        raise PuzzleError(_unreadable(path, _first_line(error))) from error


def check_columns(path: Path, file: pq.ParquetFile, columns: list[str]) -> None:
    """Refuse columns whose parts are too large to be read, by what the footer says of them.

    The bytes of a column are those before texts and numbers are repeated, as a dictionary or a run
    of equal numbers has them; so the numbers of lists are counted, too.

    Args:
        path: of the file.
        file: opened.
        columns: top-level names of those that will be read.

    Raises:
        PuzzleError: a row group is too large, or the file has fewer bytes than it says.
    """
    size = path.stat().st_size
    metadata = file.metadata
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for number in range(row_group.num_columns):
            chunk = row_group.column(number)
            name = chunk.path_in_schema.partition(".")[0]
            if name not in columns:
                continue
            stored = chunk.total_compressed_size
            unpacked = chunk.total_uncompressed_size
            values = chunk.num_values
            if min(stored, unpacked, values) < 0 or stored > size:
                raise PuzzleError(
                    _unreadable(
                        path,
                        f"row group {group} is said to have {stored:,} bytes and {values:,} values "
                        f"in its column {chunk.path_in_schema}, and the file has {size:,} bytes",
                    )
                )
            if unpacked > MOST_COLUMN_BYTES:
                raise PuzzleError(
                    f"{path} has {unpacked:,} bytes of its column {chunk.path_in_schema} in one "
                    f"row group, and at most {MOST_COLUMN_BYTES:,} are read. Write it with smaller "
                    f"row groups, {_SMALLER}."
                )
            is_list = "." in chunk.path_in_schema
            if is_list and values > MOST_VALUES:
                raise PuzzleError(
                    f"{path} has {values:,} numbers in the lists of its column {name} in one row "
                    f"group of {row_group.num_rows:,} rows, and at most {MOST_VALUES:,} are read. "
                    f"Leave out lists that are no puzzle, and write it with smaller row groups, "
                    f"{_SMALLER}."
                )


def _check_footer(path: Path, stream: BinaryIO) -> None:
    """Refuse a file that does not end as it should, before anything is allocated for it."""
    size = os.fstat(stream.fileno()).st_size
    start = stream.read(len(MAGIC))
    if size < len(MAGIC) + _TAIL or start != MAGIC:
        raise PuzzleError(_unreadable(path, "it does not begin as a Parquet file"))
    stream.seek(size - _TAIL)
    tail = stream.read(_TAIL)
    if tail[4:] != MAGIC:
        raise PuzzleError(_unreadable(path, "its end is missing, so it was cut off"))
    footer = int.from_bytes(tail[:4], "little")
    if footer > min(size - len(MAGIC) - _TAIL, MOST_FOOTER_BYTES):
        raise PuzzleError(
            _unreadable(path, f"its footer is said to have {footer:,} bytes of {size:,}")
        )


def _unreadable(path: Path, reason: str) -> str:
    return f"cannot read {path} as Parquet: {reason.rstrip('.')}. Copy or write it again."


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
