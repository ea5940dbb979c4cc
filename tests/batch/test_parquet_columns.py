from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import TASK
from trm_edge.batch.open_source import open_source
from trm_edge.batch.parquet_columns import MOST_LENGTH, find_row_columns
from trm_edge.errors import PuzzleError


def test_each_column_has_a_role() -> None:
    schema = pa.schema(
        {
            "ID": pa.int32(),
            "Tokens": pa.list_(pa.uint8(), 81),
            "labels": pa.large_list(pa.int16()),
            "identifier": pa.int64(),
            "rating": pa.float64(),
        }
    )
    columns = find_row_columns(Path("in.parquet"), schema)
    assert [(column.name, column.role) for column in columns] == [
        ("Tokens", "tokens"),
        ("labels", "labels"),
        ("ID", "id"),
        ("identifier", "identifier"),
    ]
    assert [column.width for column in columns] == [81, None, None, None]
    assert not any(column.is_text for column in columns)


def test_lists_that_are_longer_than_any_puzzle_by_their_type_are_refused() -> None:
    schema = pa.schema({"tokens": pa.list_(pa.int8(), MOST_LENGTH + 1)})
    with pytest.raises(PuzzleError, match="has lists of 1,048,577 token ids in its column tokens"):
        find_row_columns(Path("in.parquet"), schema)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"grid": ["x"], "level": [1]}, r"has no column of puzzles: its columns are grid, level"),
        ({"puzzle": [1.5]}, "has double in its column puzzle, but puzzles are text or lists"),
        ({"puzzle": [[0.5]]}, "has list<.*double> in its column puzzle"),
        ({"puzzle": ["x"], "id": [0.5]}, "has double in its column id, which must hold text or"),
        ({"puzzle": ["x"], "identifier": ["a"]}, "column identifier, which must hold whole"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(PuzzleError, match=message):
        open_source(TASK, path)
