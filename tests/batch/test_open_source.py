from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.batch.runs import TASK, puzzle_texts, write_input
from trm_edge.batch.open_source import open_source
from trm_edge.batch.parquet_source import ParquetSource
from trm_edge.batch.source import RowSource
from trm_edge.batch.text_source import CsvSource, TaskSource
from trm_edge.errors import PuzzleError

TEXTS = puzzle_texts(3)


def write_dataset(folder: Path) -> None:
    (folder / "test").mkdir(parents=True)
    np.save(folder / "test" / "all__inputs.npy", np.ones((5, 81), np.uint8))


def rows_of(source: RowSource) -> int:
    return sum(map(len, source.blocks()))


def test_what_a_file_holds_counts_and_not_its_name(tmp_path: Path) -> None:
    write_input(tmp_path / "in.csv", TEXTS)
    assert isinstance(open_source(TASK, tmp_path / "in.csv"), ParquetSource)
    (tmp_path / "in.parquet").write_text(f"puzzle\n{TEXTS[0]}\n")
    assert isinstance(open_source(TASK, tmp_path / "in.parquet"), CsvSource)


def test_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, text in zip(("b.parquet", "a.parquet", "c/a.parquet"), TEXTS, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_input(tmp_path / name, [text], with_ids=False)
    for hidden in (".d.parquet", "_e.parquet", "_f/a.parquet"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"no Parquet")
    source = open_source(TASK, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in source.files] == [
        "a.parquet",
        "b.parquet",
        "c/a.parquet",
    ]
    puzzles = [block["puzzle"][0].as_py() for block in source.blocks()]
    assert puzzles == [TEXTS[1], TEXTS[0], TEXTS[2]]


def test_a_dataset_is_one_though_a_table_lies_in_its_folder(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    write_input(tmp_path / "notes.parquet", TEXTS)
    source = open_source(TASK, tmp_path)
    assert isinstance(source, TaskSource)
    assert rows_of(source) == source.count() == 5


def test_the_answers_of_another_run_are_an_input_like_any(tmp_path: Path) -> None:
    """Its fingerprint and its marks are left out."""
    write_input(tmp_path / "rows-0.parquet", TEXTS)
    (tmp_path / "_run.json").write_text("{}")
    (tmp_path / "_checkpoint").mkdir()
    write_input(tmp_path / "_checkpoint" / "rows-0.parquet", TEXTS)
    assert rows_of(open_source(TASK, tmp_path)) == 3


@pytest.mark.parametrize("kind", ["missing", "empty file", "empty folder"])
def test_what_holds_no_puzzle_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in"
    if kind == "empty file":
        path.touch()
    elif kind == "empty folder":
        path.mkdir()
    with pytest.raises(PuzzleError) as caught:
        list(open_source(TASK, path).blocks())
    assert str(path) in str(caught.value)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    """As of the shell's <(...): a second look would take lines away, or wait for ever."""
    os.mkfifo(tmp_path / "in")
    with pytest.raises(PuzzleError, match=r"reads its input more than once.*pass - and pipe it in"):
        open_source(TASK, tmp_path / "in")
