"""How Ray Data reads an input."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("ray.data", reason="needs the extra ray")

from tests.batch.runs import TASK, puzzle_texts, write_input
from trm_edge.batch.open_source import open_source
from trm_edge.batch.ray_source import RowDatasource, block_bytes
from trm_edge.batch.source import RowSource
from trm_edge.errors import PuzzleError


def rows_read(source: RowSource, chosen: list[int] | None = None) -> pa.Table:
    numbers = None if chosen is None else np.array(chosen)
    tables = []
    for task in RowDatasource(source, numbers).get_read_tasks(1):
        tables += list(task.read_fn())
    return pa.concat_tables(tables)


def test_each_parquet_file_is_read_apart_and_rows_keep_their_places(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        texts = puzzle_texts(1100 + number, seed=number)
        write_input(folder / f"{number}.parquet", texts, with_ids=False)
    source = open_source(TASK, folder)
    assert len(RowDatasource(source).get_read_tasks(1)) == 3
    whole = pa.concat_tables(source.blocks())
    assert rows_read(source).equals(whole)
    assert whole["row"].to_pylist() == list(range(3303))
    assert [share.count() for share in source.shares()] == [1100, 1101, 1102]


def test_other_inputs_are_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("\n".join(puzzle_texts(30)) + "\n")
    source = open_source(TASK, path)
    assert len(RowDatasource(source).get_read_tasks(1)) == 1
    assert rows_read(source).equals(pa.concat_tables(source.blocks()))


def test_chosen_rows_alone(tmp_path: Path) -> None:
    source = open_source(TASK, write_input(tmp_path / "in.parquet", puzzle_texts(3000)))
    assert rows_read(source, [0, 1500, 2999])["row"].to_pylist() == [0, 1500, 2999]


@pytest.mark.parametrize("name", ["in", "in.txt"])
def test_a_file_that_changed_after_it_was_hashed_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "in":  # a folder of Parquet files: the second one changes
        path.mkdir()
        write_input(path / "0.parquet", puzzle_texts(20))
        changed = write_input(path / "1.parquet", puzzle_texts(20))
    else:
        path.write_text("\n".join(puzzle_texts(20)) + "\n")
        changed = path
    source = open_source(TASK, path)
    source.sha256()
    tasks = RowDatasource(source).get_read_tasks(1)
    os.utime(changed, ns=(0, 1))
    for task in tasks[:-1]:
        assert len(list(task.read_fn())) == 1
    with pytest.raises(PuzzleError, match=rf"{changed.name} was changed or removed while"):
        list(tasks[-1].read_fn())


def test_a_block_is_cut_by_its_bytes(tmp_path: Path) -> None:
    source = open_source(TASK, write_input(tmp_path / "in.parquet", puzzle_texts(2000)))
    first = next(iter(source.blocks()))
    assert block_bytes(source, len(first)) == first.nbytes
