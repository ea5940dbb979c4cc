"""Inputs of any number of rows, from few puzzles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_ROW_GROUP = 100_000


def write_repeated(texts: Sequence[str], count: int, path: Path) -> None:
    """Write puzzles as Parquet, one after another and again from the first.

    Args:
        texts: of the puzzles.
        count: rows to write.
        path: of the file.
    """
    rows = cycle(texts)
    schema = pa.schema([("puzzle", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, _ROW_GROUP):
            column = list(islice(rows, min(_ROW_GROUP, count - start)))
            writer.write_table(pa.table({"puzzle": column}, schema))
