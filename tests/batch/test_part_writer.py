from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.batch.runs import MAKER, puzzle_texts, solve_blocks
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.part_writer import PartWriter
from trm_edge.batch.rows import row_table


def answers_to(first_row: int, count: int) -> pa.Table:
    assert MAKER.bundle
    return solve_blocks([row_table(first_row, count, {"puzzle": puzzle_texts(count)})])[0]


def sizes(folder: Path) -> list[int]:
    return [pq.read_metadata(path).num_rows for path in OutputFolder(folder).parts()]


def test_parts_are_of_equal_size_but_the_last(tmp_path: Path) -> None:
    writer = PartWriter(OutputFolder(tmp_path), rows=10, seconds=1e9)
    writer.add(answers_to(0, 3))
    assert sizes(tmp_path) == []
    writer.add(answers_to(3, 25))
    assert sizes(tmp_path) == [10, 10]
    writer.flush()
    writer.flush()
    assert sizes(tmp_path) == [10, 10, 8]
    names = [path.name for path in OutputFolder(tmp_path).parts()]
    assert names[2] == "rows-000000000020-000000000027.parquet"


def test_a_part_is_written_when_it_is_time(tmp_path: Path) -> None:
    writer = PartWriter(OutputFolder(tmp_path), rows=1000, seconds=0)
    writer.add(answers_to(0, 3))
    writer.add(answers_to(3, 1))
    assert sizes(tmp_path) == [3, 1]
