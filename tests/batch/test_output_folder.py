from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.runs import MAKER, SETTINGS, puzzle_texts
from trm_edge.batch.answers import ANSWER_SCHEMA, failed_answers
from trm_edge.batch.output_folder import RUN_NAME, OutputFolder, read_part
from trm_edge.batch.rows import row_table
from trm_edge.errors import OutputError, OutputExistsError


def answers(first_row: int, count: int) -> pa.Table:
    rows = row_table(first_row, count, {"puzzle": puzzle_texts(count)})
    return failed_answers(rows, "never solved", MAKER.bundle)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_part_is_named_after_its_rows(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.append(answers(5, 3))
    folder.append(answers(1_000_000_000_000, 1))
    assert names(tmp_path) == [
        "rows-000000000005-000000000007.parquet",
        "rows-1000000000000-1000000000000.parquet",
    ]
    assert folder.parts() == sorted(tmp_path.iterdir())


def test_hidden_and_other_files_are_no_parts(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.append(answers(0, 1))
    for name in (".half.parquet", "_metadata.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in folder.parts()] == ["rows-000000000000-000000000000.parquet"]


def test_a_part_keeps_the_version_of_its_columns(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.append(answers(0, 2))
    schema = pq.read_schema(folder.parts()[0])
    assert schema.equals(ANSWER_SCHEMA, check_metadata=True)


def test_a_new_folder_that_gets_nothing_is_removed(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "a" / "out.parquet")
    with folder.locked():
        assert folder.path.is_dir()
    assert not folder.path.exists()
    with folder.locked():
        folder.begin(SETTINGS)
    assert names(folder.path) == [".lock", RUN_NAME]


def test_an_empty_folder_of_the_user_stays(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).locked():
        pass
    assert tmp_path.is_dir()


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.begin(SETTINGS)
    kept = [".lock", ".nfs0001", ".rows.txt", RUN_NAME]
    left = [".input-abc", ".rows-0-1.parquet.trm-edge-1-ab-cd"]
    for name in (*kept[1:3], *left):
        (tmp_path / name).write_bytes(b"half")
    with folder.locked():
        assert names(tmp_path) == kept


def test_a_folder_with_hidden_files_alone_can_be_used(tmp_path: Path) -> None:
    """A run that was killed before its fingerprint was written leaves such a folder."""
    (tmp_path / ".lock").touch()
    with OutputFolder(tmp_path).locked():
        pass


@pytest.mark.parametrize("name", ["notes.txt", "part-0.parquet", "_SUCCESS"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(OutputExistsError, match="is not a run of trm-edge solve"):
        OutputFolder(tmp_path).locked().__enter__()
    assert names(tmp_path) == [name]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"out\.parquet is a file, and the answers are a folder"):
        OutputFolder(path).locked().__enter__()
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("begun", [False, True])
def test_a_full_disk_says_what_was_done_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = OutputFolder(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    write = partial(folder.begin, SETTINGS)
    if begun:
        write = partial(folder.append, answers(0, 1))
        state = r"rows-0.*No space left on device\. The answers before are written"
    else:
        state = r"_run\.json: No space left on device\. Nothing is solved yet"
    with pytest.raises(OutputError, match=rf"{state}: make room .* the same command goes on\.$"):
        write()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / RUN_NAME).write_text("{}")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    with pytest.raises(OutputError, match=r"read-only\. Make the folder writable, or choose"):
        OutputFolder(tmp_path).locked().__enter__()


def test_a_part_that_is_replaced_keeps_its_name(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.append(answers(0, 3))
    (part,) = folder.parts()
    folder.write(part, answers(0, 2))
    assert folder.parts() == [part]
    assert pq.read_metadata(part).num_rows == 2


def test_a_part_of_others_may_have_further_columns(tmp_path: Path) -> None:
    table = answers(0, 2)
    pq.write_table(table.append_column("note", pa.array(["a", "b"])), tmp_path / "part.parquet")
    (rows,) = read_part(tmp_path / "part.parquet", ["row"])
    assert rows["row"].to_pylist() == [0, 1]


def test_a_part_without_a_column_is_named_with_it(tmp_path: Path) -> None:
    pq.write_table(answers(0, 2).drop_columns(["tries"]), tmp_path / "part.parquet")
    with pytest.raises(OutputError, match=r"has no column tries, so it is not a part"):
        list(read_part(tmp_path / "part.parquet", ["row"]))


def test_an_empty_part_has_no_rows(tmp_path: Path) -> None:
    pq.write_table(answers(0, 0), tmp_path / "part.parquet")
    assert sum(map(len, read_part(tmp_path / "part.parquet", ["row"]))) == 0
