"""Rows from Parquet: one file, or a folder of them in the order of their names."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trm_edge.batch.parquet_columns import Column, find_row_columns, listed
from trm_edge.batch.parquet_file import MAGIC, check_columns, open_parquet
from trm_edge.batch.parquet_rows import read_rows
from trm_edge.batch.rows import row_table
from trm_edge.batch.source import Blocks, Reading, RowSource
from trm_edge.errors import PuzzleError
from trm_edge.tasks.dataset import is_folder
from trm_edge.tasks.text_formats import ID_COLUMN

_HIDDEN = (".", "_")  # as readers of Parquet folders leave out


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
        self._columns: list[Column] = []
        for file_path in files:
            with open_parquet(file_path) as file:
                self._add(file_path, file)
        self.has_ids = any(column.role == ID_COLUMN for column in self._columns)

    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the rows.

        Args:
            reading: not told anything: the rows are counted.

        Raises:
            PuzzleError: a file cannot be read, or is damaged.
        """
        first_row = self._first_row
        for path in self.files:
            for rows in read_rows(path, self._columns):
                columns = dict(zip(rows.column_names, rows.columns, strict=True))
                yield row_table(first_row, len(rows), columns)
                first_row += len(rows)

    def ids(self) -> Iterator[pa.ChunkedArray]:
        """Read the column of ids alone."""
        columns = [column for column in self._columns if column.role == ID_COLUMN]
        for path in self.files:
            for rows in read_rows(path, columns):
                yield rows[ID_COLUMN]

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
        columns = find_row_columns(path, file.schema_arrow)
        check_columns(path, file, [column.name for column in columns])
        if self._columns and columns != self._columns:
            raise PuzzleError(
                f"{path} has other columns than {self.files[0]}: {listed(columns)}, not "
                f"{listed(self._columns)}. Pass files of one kind at a time."
            )
        self._columns = columns
        self._counts.append(file.metadata.num_rows)


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
