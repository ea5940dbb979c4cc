"""The rows of an input as Arrow tables: puzzles as text or as token ids, each with its id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trm_edge.tasks.entries import BadLine, Entry
from trm_edge.tasks.text_formats import RawRow

ROW_SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),  # place in the input, from 0
        pa.field("id", pa.string()),  # null where the row itself cannot be read, so has none
        pa.field("line", pa.int64()),  # of the file, from 1; null where it has no lines
        pa.field("puzzle", pa.string()),  # text, or else there are tokens
        pa.field("answer", pa.string()),  # text of the known answer
        pa.field("tokens", pa.list_(pa.int64())),
        pa.field("labels", pa.list_(pa.int64())),  # of the known answer
        pa.field("identifier", pa.int64()),  # row of the puzzle-embedding table; null: 0
        pa.field("error", pa.string()),  # why the input has no puzzle in this row
    ]
)


def row_table(first_row: int, count: int, columns: dict[str, Any]) -> pa.Table:
    """Make a table of consecutive rows.

    Args:
        first_row: place of the first one in the input, from 0.
        count: n, number of rows.
        columns: (n,) arrays or lists by the names of ``ROW_SCHEMA``. Columns left out are null, but
            for the ids: without any, a row's place is its id.
    """
    arrays = []
    places = np.arange(first_row, first_row + count)
    for field in ROW_SCHEMA:
        if field.name == "row":
            arrays.append(pa.array(places))
        elif field.name == "id" and "id" not in columns:
            arrays.append(pa.array(places).cast(pa.string()))
        elif field.name in columns:
            arrays.append(_array(columns[field.name], field.type))
        else:
            arrays.append(pa.nulls(count, field.type))
    return pa.Table.from_arrays(arrays, schema=ROW_SCHEMA)


def text_rows(
    first_row: int, rows: Sequence[RawRow | BadLine], *, has_ids: bool = False
) -> pa.Table:
    """Make a table of rows of text.

    Args:
        first_row: place of the first one in the input, from 0.
        rows: puzzles as they are written, and lines that hold none.
        has_ids: rows have ids of their own, and a line whose id cannot be read has none; otherwise
            their place is their id.
    """
    texts: dict[str, list[str | None]] = {"id": [], "puzzle": [], "answer": [], "error": []}
    for row in rows:
        values: tuple[str | None, ...]
        if isinstance(row, BadLine):
            values = (row.id, None, None, row.reason)
        else:
            values = (row.id, row.puzzle, row.answer, None)
        for column, value in zip(texts.values(), values, strict=True):
            column.append(value)
    if not has_ids:
        del texts["id"]
    return row_table(first_row, len(rows), {"line": [row.line for row in rows], **texts})


def entry_rows(first_row: int, entries: Sequence[Entry | BadLine]) -> pa.Table:
    """Make a table of puzzles that were parsed already.

    Args:
        first_row: place of the first one in the input, from 0.
        entries: puzzles, and lines that hold none.
    """
    tokens: list[NDArray[np.int32] | None] = []
    labels: list[NDArray[np.int32] | None] = []
    identifiers: list[int | None] = []
    errors: list[str | None] = []
    for entry in entries:
        if isinstance(entry, BadLine):
            tokens.append(None)
            labels.append(None)
            identifiers.append(None)
            errors.append(entry.reason)
        else:
            tokens.append(entry.puzzle.tokens)
            labels.append(entry.answer)
            identifiers.append(entry.puzzle.identifier)
            errors.append(None)
    columns = {
        "line": [entry.line for entry in entries],
        "tokens": _lists(tokens),
        "labels": _lists(labels),
        "identifier": identifiers,
        "error": errors,
    }
    return row_table(first_row, len(entries), columns)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.Array):
        return values.cast(kind)
    return pa.array(values, kind)


def _lists(rows: Sequence[NDArray[np.int32] | None]) -> pa.Array:
    """Arrays of token ids as one Arrow array, null where there is none."""
    lengths = np.array([0 if row is None else len(row) for row in rows], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    present = [row for row in rows if row is not None]
    values = np.concatenate(present) if present else np.zeros(0, np.int32)
    missing = np.array([row is None for row in rows], np.bool_)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(values.astype(np.int64)), mask=pa.array(missing)
    )
