"""Small files that stand for much: what is unpacked of them is bounded."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import puzzle_texts
from trm_edge.batch.parquet_columns import MOST_LENGTH, find_row_columns
from trm_edge.batch.parquet_rows import MOST_BLOCK_BYTES, read_rows
from trm_edge.batch.source import BLOCK_ROWS
from trm_edge.errors import PuzzleError

PREFIXES: dict[str, Any] = {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}
ENCODINGS: dict[str, dict[str, Any]] = {
    "dictionary": {},
    "plain": {"use_dictionary": False},
    "prefixes": PREFIXES,
    "small row groups": {"row_group_size": 7},
}


def tables_of(path: Path) -> list[pa.Table]:
    return list(read_rows(path, find_row_columns(path, pq.read_schema(path))))


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, compression="zstd", **options)
    return path


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_rows_are_those_that_were_written(tmp_path: Path, encoding: str) -> None:
    texts: list[str | None] = [*puzzle_texts(3000)]
    texts[5] = None
    ids = [f"p{number}" for number in range(3000)]
    path = write(tmp_path / "in.parquet", {"puzzle": texts, "id": ids}, **ENCODINGS[encoding])
    tables = tables_of(path)
    rows = pa.concat_tables(tables)
    assert rows["puzzle"].to_pylist() == texts
    assert rows["id"].to_pylist() == ids
    assert rows["error"].null_count == 3000
    assert max(map(len, tables)) <= BLOCK_ROWS
    assert len(tables) <= 4


def test_a_missing_id_is_empty(tmp_path: Path) -> None:
    for ids in (["a", None], [1, None]):
        path = write(tmp_path / "in.parquet", {"puzzle": ["x", "y"], "id": ids})
        (table,) = tables_of(path)
        assert table["id"].to_pylist() == [str(ids[0]), ""]


@pytest.mark.parametrize("column", ["puzzle", "answer", "id"])
@pytest.mark.parametrize("encoding", ["dictionary", "prefixes"])
def test_a_long_text_in_many_rows_is_unpacked_in_small_blocks(
    tmp_path: Path, column: str, encoding: str
) -> None:
    columns: dict[str, Any] = {"question": ["x"] * 1000, "answer": ["y"] * 1000, "id": ["z"] * 1000}
    columns[{"puzzle": "question"}.get(column, column)] = ["x" * 100_000] * 1000
    path = write(tmp_path / "in.parquet", columns, **ENCODINGS[encoding])
    assert path.stat().st_size < 3000
    count = 0
    for table in tables_of(path):
        assert table.nbytes < MOST_BLOCK_BYTES + 100_000
        assert set(table[column].to_pylist()) == {"x" * 100_000}
        count += len(table)
    assert count == 1000


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("question", "longer than 1,048,576 characters"),
        ("answer", "answer: longer than 1,048,576 characters"),
        ("id", "id: longer than 1,048,576 characters"),
    ],
)
@pytest.mark.parametrize("encoding", ["dictionary", "prefixes"])
def test_a_text_that_is_too_long_fails_alone(
    tmp_path: Path, column: str, reason: str, encoding: str
) -> None:
    columns = {name: ["a", "b", "c", "d"] for name in ("question", "answer", "id")}
    columns[column][1] = "é" * MOST_LENGTH
    columns[column][2] = "é" * (MOST_LENGTH + 1)
    path = write(tmp_path / "in.parquet", columns, **ENCODINGS[encoding])
    rows = pa.concat_tables(tables_of(path))
    role = {"question": "puzzle"}.get(column, column)
    values = rows[role].to_pylist()
    assert rows["error"].to_pylist() == [None, None, reason, None]
    assert values == ["a", columns[column][1], None, "d"]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("tokens", "longer than 1,048,576 token ids"),
        ("labels", "answer: longer than 1,048,576 token ids"),
    ],
)
@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.uint8())])
def test_a_list_that_is_too_long_fails_alone(
    tmp_path: Path, column: str, reason: str, kind: pa.DataType
) -> None:
    lists: dict[str, list[Sequence[int]]] = {name: [[1], [2], [3]] for name in ("tokens", "labels")}
    lists[column][1] = [0] * (MOST_LENGTH + 1)
    columns = {name: pa.array(values, kind) for name, values in lists.items()}
    path = write(tmp_path / "in.parquet", columns)
    assert path.stat().st_size < 3000
    rows = pa.concat_tables(tables_of(path))
    assert rows["error"].to_pylist() == [None, reason, None]
    assert rows[column].to_pylist() == [[1], None, [3]]
    assert rows[column].type == pa.list_(pa.int64())


def test_lists_of_a_fixed_width_are_bounded_where_they_are_null(tmp_path: Path) -> None:
    """They take as much memory as others, though the file holds nothing of them."""
    width = 1 << 20
    lists = pa.FixedSizeListArray.from_arrays(
        pa.nulls(width * 8, pa.int8()), width, mask=pa.array([True] * 8)
    )
    path = write(tmp_path / "in.parquet", {"tokens": lists})
    assert path.stat().st_size < 1000
    tables = tables_of(path)
    assert [len(table) for table in tables] == [2, 2, 2, 2]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_that_is_not_utf8_is_refused(tmp_path: Path, encoding: str) -> None:
    data = b"\xff\xfe" + b"." * 81
    buffers = [None, pa.py_buffer(struct.pack("<3i", 0, 2, 83)), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.string(), 2, buffers)
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"puzzle": texts}), path, **ENCODINGS[encoding])
    with pytest.raises(PuzzleError, match=r"in\.parquet.*Invalid UTF8.* Copy or write it again"):
        tables_of(path)


def test_a_text_that_is_not_in_its_dictionary_is_refused(tmp_path: Path) -> None:
    """pyarrow does not look, and would read whatever lies beside the dictionary."""
    numbers = random.Random(1)
    texts = [f"text-{numbers.randrange(5)}" for _ in range(2000)]
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"puzzle": texts}), path, compression="none")
    chunk = pq.read_metadata(path).row_group(0).column(0)
    content = path.read_bytes()
    reasons = set()
    for _ in range(20):
        damaged = bytearray(content)
        damaged[numbers.randrange(chunk.data_page_offset + 100, chunk.data_page_offset + 500)] = 255
        path.write_bytes(damaged)
        with pytest.raises(PuzzleError) as caught:
            tables_of(path)
        reasons.add(str(caught.value).partition(" as Parquet: ")[2])
    assert any("out of bounds" in reason for reason in reasons)


def test_fewer_rows_than_the_footer_says_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in.parquet", {"puzzle": ["x"] * 5})
    metadata = pq.read_metadata(path)
    assert metadata.num_rows == 5
    content = path.read_bytes()
    head = content.index(b"\x19", len(content) - metadata.serialized_size - 8)
    place = content.index(b"\x16\x0a", head)  # the number of rows, 5, in Thrift's compact protocol
    path.write_bytes(content[:place] + b"\x16\x0c" + content[place + 2 :])
    with pytest.raises(PuzzleError, match="has 5 rows, but says it has 6"):
        tables_of(path)
