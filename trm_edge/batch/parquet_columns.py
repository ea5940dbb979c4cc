"""The columns of a Parquet file that rows are read from, found by their names and types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from trm_edge.batch.text_source import no_column
from trm_edge.errors import PuzzleError
from trm_edge.tasks.lines import MAX_LINE
from trm_edge.tasks.text_formats import ID_COLUMN, find_columns

MOST_LENGTH = MAX_LINE  # token ids of a list, or characters of a text, that are read
_IDENTIFIER_COLUMN = "identifier"
_TOKEN_COLUMN = "tokens"


class Column(NamedTuple):
    """A column of the files.

    Args:
        name: in the files.
        role: the column of ``ROW_SCHEMA`` that it becomes.
        kind: type that it is read as.
        is_text: it is stored as text.
        width: token ids of every list where the type says so; None: it does not.
    """

    name: str
    role: str
    kind: pa.DataType
    is_text: bool = False
    width: int | None = None

    @property
    def is_lists(self) -> bool:
        """Its rows are lists of token ids."""
        return bool(pa.types.is_list(self.kind))


def find_row_columns(path: Path, schema: pa.Schema) -> list[Column]:
    """Find the columns of puzzles, known answers, ids and identifiers.

    Args:
        path: of the file, for messages.
        schema: of the file.

    Raises:
        PuzzleError: no column is of puzzles, or one of the columns is of a type that does not fit.
    """
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


def listed(columns: Sequence[Column]) -> str:
    """Name columns and the types that they are read as.

    Args:
        columns: any number.
    """
    return ", ".join(f"{column.name} ({column.kind})" for column in columns)


def _puzzle_column(path: Path, field: pa.Field, text: str, tokens: str) -> Column:
    kind = _value_type(field.type)
    if _is_text(kind):
        return Column(field.name, text, pa.string(), is_text=True)
    has_width = pa.types.is_fixed_size_list(kind)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or has_width
    if not is_list or not pa.types.is_integer(kind.value_type):
        raise PuzzleError(
            f"{path} has {field.type} in its column {field.name}, but puzzles are text or lists of "
            "whole numbers."
        )
    width = kind.list_size if has_width else None
    if width is not None and width > MOST_LENGTH:
        raise PuzzleError(
            f"{path} has lists of {width:,} token ids in its column {field.name}, and lists of at "
            f"most {MOST_LENGTH:,} are read: no puzzle is that long. Check what the column holds."
        )
    return Column(field.name, tokens, pa.list_(pa.int64()), width=width)


def _plain_column(path: Path, field: pa.Field, role: str) -> Column:
    kind = _value_type(field.type)
    if pa.types.is_integer(kind):
        return Column(field.name, role, pa.string() if role == ID_COLUMN else pa.int64())
    if role == ID_COLUMN and _is_text(kind):
        return Column(field.name, role, pa.string(), is_text=True)
    expected = "text or whole numbers" if role == ID_COLUMN else "whole numbers"
    raise PuzzleError(
        f"{path} has {field.type} in its column {field.name}, which must hold {expected}."
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values where a column is stored as a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
