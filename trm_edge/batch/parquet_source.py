"""Rows from Parquet: one file, or a folder of them in the order of their names."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from trm_edge.batch.parquet_file import MAGIC, check_columns, open_parquet
from trm_edge.batch.rows import row_table
from trm_edge.batch.source import BLOCK_ROWS, Blocks, Reading, RowSource
from trm_edge.batch.text_source import no_column
from trm_edge.errors import PuzzleError
from trm_edge.tasks.dataset import is_folder
from trm_edge.tasks.text_formats import ID_COLUMN, find_columns

_IDENTIFIER_COLUMN = "identifier"
_TOKEN_COLUMN = "tokens"
_HIDDEN = (".", "_")  # as readers of Parquet folders leave out


class _Column(NamedTuple):
    """A column of the files.

    Args:
        name: in the files.
        role: the column of ``ROW_SCHEMA`` that it becomes.
        kind: type that it is read as.
    """

    name: str
    role: str
    kind: pa.DataType


class ParquetSource(RowSource):
    """Puzzles in a column of text or of lists of token ids, and a column ``id`` or none.

    Args:
        path: of a file, or of a folder that holds some.

    Raises:
        PuzzleError: a file cannot be read or differs from the first in its columns, or no column is
            of puzzles.
    """

    def __init__(self, path: Path) -> None:
        files = parquet_files(path)
        if not files:
            raise PuzzleError(f"{path} holds no Parquet file.")
        super().__init__(str(path), files)
        self._counts: list[int] = []  # rows of each file
        self._first_row = 0
        self._columns: list[_Column] = []
        for file_path in files:
            with open_parquet(file_path) as file:
                self._add(file_path, file)
        self.has_ids = any(column.role == "id" for column in self._columns)

    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the rows.

        Args:
            reading: not told anything: the rows are counted.

        Raises:
            PuzzleError: a file cannot be read, or is damaged.
        """
        first_row = self._first_row
        for batch in self._batches(self._columns):
            columns = {}
            for column in self._columns:
                columns[column.role] = batch[column.name].cast(column.kind, safe=False)
            yield row_table(first_row, batch.num_rows, columns)
            first_row += batch.num_rows

    def ids(self) -> Iterator[pa.ChunkedArray]:
        """Read the column of ids alone."""
        for column in self._columns:
            if column.role == "id":
                for batch in self._batches([column]):
                    yield pa.chunked_array([batch[column.name].cast(pa.string())])

    def count(self) -> int:
        """Return the number of rows that the files say they have."""
        return sum(self._counts)

    def shares(self) -> list[RowSource]:
        """Split the source into its files."""
        shares: list[RowSource] = []
        first_row = self._first_row
        for place, (path, count) in enumerate(zip(self.files, self._counts, strict=True)):
            share = copy.copy(self)
            share.files = (path,)
            share._stamps = self._stamps[place : place + 1]
            share._counts = [count]
            share._first_row = first_row
            shares.append(share)
            first_row += count
        return shares

    def _add(self, path: Path, file: pq.ParquetFile) -> None:
        """Compare the columns of a further file with those of the first."""
        columns = _columns_of(path, file.schema_arrow)
        check_columns(path, file, [column.name for column in columns])
        if self._columns and columns != self._columns:
            raise PuzzleError(
                f"{path} has other columns than {self.files[0]}: {_listed(columns)}, not "
                f"{_listed(self._columns)}. Pass files of one kind at a time."
            )
        self._columns = columns
        self._counts.append(file.metadata.num_rows)

    def _batches(self, columns: list[_Column]) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in columns]
        for path in self.files:
            count = 0
            with open_parquet(path) as file:
                for batch in file.iter_batches(BLOCK_ROWS, columns=names, use_threads=False):
                    count += batch.num_rows
                    yield batch
                expected = file.metadata.num_rows
            if count != expected:
                raise PuzzleError(
                    f"{path} has {count:,} rows, but says it has {expected:,}. Copy or write it "
                    "again."
                )


def parquet_files(path: Path) -> tuple[Path, ...]:
    """Find the Parquet files of a path, in the order of their names.

    Args:
        path: of a file, or of a folder; what is hidden in it, or begins with ``_``, is left out.
    """
    if is_folder(path):
        files = []
        for file in sorted(path.rglob("*.parquet")):
            parts = file.relative_to(path).parts
            if file.is_file() and not any(part.startswith(_HIDDEN) for part in parts):
                files.append(file)
        return tuple(files)
    try:
        with path.open("rb") as stream:
            is_parquet = stream.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return ()
    return (path,) if is_parquet else ()


def _columns_of(path: Path, schema: pa.Schema) -> list[_Column]:
    """The columns that are read, each with its role and type."""
    names = {name.lower(): name for name in schema.names}
    pair = find_columns(names)
    if pair is None and _TOKEN_COLUMN in names:
        pair = (_TOKEN_COLUMN, "labels")
    if pair is None:
        raise PuzzleError(no_column(str(path), schema.names))
    columns = [_puzzle_column(path, schema.field(names[pair[0]]), "puzzle", "tokens")]
    if pair[1] in names:
        columns.append(_puzzle_column(path, schema.field(names[pair[1]]), "answer", "labels"))
    for name in (ID_COLUMN, _IDENTIFIER_COLUMN):
        if name in names:
            columns.append(_plain_column(path, schema.field(names[name]), name))
    return columns


def _puzzle_column(path: Path, field: pa.Field, text: str, tokens: str) -> _Column:
    kind = _value_type(field.type)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _Column(field.name, text, pa.string())
    is_list = (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
    if is_list and pa.types.is_integer(kind.value_type):
        return _Column(field.name, tokens, pa.list_(pa.int64()))
    raise PuzzleError(
        f"{path} has {field.type} in its column {field.name}, but puzzles are text or lists of "
        "whole numbers."
    )


def _plain_column(path: Path, field: pa.Field, role: str) -> _Column:
    kind = _value_type(field.type)
    if pa.types.is_integer(kind):
        return _Column(field.name, role, pa.string() if role == ID_COLUMN else pa.int64())
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if role == ID_COLUMN and is_text:
        return _Column(field.name, role, pa.string())
    expected = "text or whole numbers" if role == ID_COLUMN else "whole numbers"
    raise PuzzleError(
        f"{path} has {field.type} in its column {field.name}, which must hold {expected}."
    )


def _value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values where a column is stored as a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _listed(columns: list[_Column]) -> str:
    return ", ".join(f"{column.name} ({column.kind})" for column in columns)
