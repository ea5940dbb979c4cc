from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import MAKER, puzzle_texts
from trm_edge.batch.answers import failed_answers
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.rows import row_table
from trm_edge.errors import OutputError


def rows(first_row: int, count: int) -> pa.Table:
    return row_table(first_row, count, {"puzzle": puzzle_texts(1) * count})


def write_part(path: Path, numbers: list[int], failed: tuple[int, ...] = ()) -> None:
    """A part with rows in any order, of which some have failed."""
    table = failed_answers(rows(0, len(numbers)), "out of memory", MAKER.bundle)
    outcomes = ["failed" if number in failed else "answered" for number in numbers]
    table = table.set_column(0, "row", pa.array(numbers))
    place = table.schema.get_field_index("outcome")
    pq.write_table(table.set_column(place, "outcome", pa.array(outcomes)), path)


def read(folder: Path) -> FinishedRows:
    return FinishedRows.read(OutputFolder(folder))


def places(blocks: Iterator[pa.Table]) -> list[list[int]]:
    return [block["row"].to_pylist() for block in blocks]


def test_an_empty_folder_has_no_rows(tmp_path: Path) -> None:
    finished = read(tmp_path)
    assert (len(finished.rows), finished.tally.rows, len(finished.failed)) == (0, 0, 0)
    assert places(finished.left_out_of(iter([rows(0, 2)]))) == [[0, 1]]
    assert places(finished.failed_of(iter([rows(0, 2)]))) == []


def test_failed_rows_are_in_order_with_the_part_of_each(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", [9, 0, 4], failed=(9, 4))
    write_part(tmp_path / "b.parquet", [7, 1], failed=(7,))
    write_part(tmp_path / "c.parquet", [2], failed=())
    finished = read(tmp_path)
    assert finished.failed.tolist() == [4, 7, 9]
    assert finished.failed_parts.tolist() == [0, 1, 0]
    assert [path.name for path in finished.parts] == ["a.parquet", "b.parquet", "c.parquet"]
    assert (finished.tally.rows, finished.tally.failed) == (6, 3)


def test_rows_that_are_done_are_left_out(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", [1, 4, 5, 6, 7], failed=(4,))
    finished = read(tmp_path)
    blocks = iter([rows(0, 2), rows(2, 2), rows(4, 4), rows(8, 1)])
    assert places(finished.left_out_of(blocks)) == [[0], [2, 3], [8]]


def test_reading_stops_after_the_last_row_that_failed(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", [*range(10)], failed=(1, 3))
    finished = read(tmp_path)
    drawn = 0

    def blocks() -> Iterator[pa.Table]:
        nonlocal drawn
        for first_row in range(0, 10, 2):
            drawn += 1
            yield rows(first_row, 2)

    assert places(finished.failed_of(blocks())) == [[1], [3]]
    assert drawn == 2


def test_empty_blocks_do_not_end_the_search_for_failed_rows(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", [0, 1], failed=(1,))
    blocks = iter([rows(0, 0), rows(0, 1), rows(1, 0), rows(1, 1)])
    assert places(read(tmp_path).failed_of(blocks)) == [[1]]


@pytest.mark.parametrize("where", ["one part", "two parts"])
def test_a_row_that_stands_twice_is_named(tmp_path: Path, where: str) -> None:
    if where == "one part":
        write_part(tmp_path / "b.parquet", [6, 5, 6])
    else:
        write_part(tmp_path / "a.parquet", [5, 6])
        write_part(tmp_path / "b.parquet", [7, 6])
    message = r"b\.parquet holds row 6, which stands in the answers already"
    with pytest.raises(OutputError, match=message):
        read(tmp_path)


def test_a_part_without_failed_rows_adds_none(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", [0, 1])
    finished = read(tmp_path)
    assert finished.failed.dtype == np.int64
    assert finished.failed.tolist() == []
