from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.open_files import open_files
from trm_edge.batch import parquet_file
from trm_edge.batch.parquet_file import check_columns, open_parquet
from trm_edge.errors import OutputError, PuzzleError

MAGIC = b"PAR1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a small and a large column, in two row groups."""
    place = tmp_path / "in.parquet"
    table = pa.table({"id": range(100), "cells": [{"text": "x" * 81 + str(n)} for n in range(100)]})
    pq.write_table(table, place, row_group_size=50, use_dictionary=False, compression="none")
    return place


def open_file(path: Path) -> None:
    with open_parquet(path):
        pass


def test_a_file_is_read_and_closed(path: Path) -> None:
    with open_parquet(path) as file:
        assert file.metadata.num_rows == 100
    assert open_files(path.parent) == []


def test_a_name_that_is_not_utf8_is_no_obstacle(path: Path) -> None:
    name = os.fsencode(path.parent) + b"/\xff.parquet"
    path.rename(os.fsdecode(name))
    with open_parquet(Path(os.fsdecode(name))) as file:
        assert sum(batch.num_rows for batch in file.iter_batches(30)) == 100


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin as a Parquet file"),
        (b"PAR", "does not begin as a Parquet file"),
        (MAGIC + MAGIC, "does not begin as a Parquet file"),
        (b"puzzle,id\n" * 9, "does not begin as a Parquet file"),
        (MAGIC + bytes(8), "its end is missing, so it was cut off"),
        (MAGIC + bytes(40) + MAGIC[:3], "its end is missing"),
        (MAGIC + b"\x01\0\0\0" + MAGIC, "its footer is said to have 1 bytes of 12"),
        (MAGIC + b"\xff\xff\xff\xff" + MAGIC, "its footer is said to have 4,294,967,295 bytes"),
        (MAGIC + bytes(20) + b"\x14\0\0\0" + MAGIC, "as Parquet: "),
    ],
)
def test_what_is_no_parquet_file_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(content)
    with pytest.raises(
        PuzzleError, match=f"cannot read .*{reason}.*Copy or write it again"
    ) as caught:
        open_file(path)
    assert "\n" not in str(caught.value)
    assert open_files(tmp_path) == []


def test_a_footer_is_bounded_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "MOST_FOOTER_BYTES", 10)
    with pytest.raises(PuzzleError, match="its footer is said to have"):
        open_file(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.parquet"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(PuzzleError, match=r"cannot read .*as Parquet: (No such|it is not|Is a)"):
        open_file(path)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), pa.ArrowInvalid("bad\npage")])
def test_errors_of_reading_name_the_file(path: Path, error: Exception) -> None:
    def read() -> None:
        with open_parquet(path):
            raise error

    with pytest.raises(PuzzleError, match=r"in\.parquet as Parquet: (Input/output error|bad)\. C"):
        read()
    assert open_files(path.parent) == []


def test_errors_of_the_caller_pass(path: Path) -> None:
    def read() -> None:
        with open_parquet(path):
            raise OutputError("cannot write.")

    with pytest.raises(OutputError, match="cannot write"):
        read()


def test_only_columns_that_are_read_have_to_be_small(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_file, "MOST_COLUMN_BYTES", 1000)
    with open_parquet(path) as file:
        check_columns(path, file, ["id"])
        with pytest.raises(PuzzleError, match=r"its column cells\.text in one row group"):
            check_columns(path, file, ["id", "cells"])


def test_a_column_of_a_file_that_was_cut_in_the_middle_is_refused(path: Path) -> None:
    """The footer is whole, but what it describes is not there."""
    with open_parquet(path) as file:
        size = file.metadata.row_group(0).column(1).total_compressed_size
        footer = path.read_bytes()[-file.metadata.serialized_size - 8 :]
        path.write_bytes(MAGIC + footer)
        assert path.stat().st_size < size
        with pytest.raises(PuzzleError, match=r"row group 0 is said to have .* and the file has"):
            check_columns(path, file, ["cells"])


def test_numbers_of_lists_are_counted_since_equal_ones_take_no_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parquet_file.MOST_VALUES == 1 << 27
    monkeypatch.setattr(parquet_file, "MOST_VALUES", 1 << 20)
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"tokens": [[0] * ((1 << 20) + 1)]}), path)
    assert path.stat().st_size < 1000
    with open_parquet(path) as file:
        check_columns(path, file, [])
        with pytest.raises(
            PuzzleError,
            match=r"1,048,577 numbers in the lists of its column tokens in one row group of 1 "
            r"rows, and at most 1,048,576 are read\. Leave out lists",
        ):
            check_columns(path, file, ["tokens"])


def test_text_is_read_as_a_dictionary_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"puzzle": ["x", "x"], "id": ["a", "b"]}), path)
    with open_parquet(path, ["puzzle"]) as file:
        (batch,) = file.iter_batches(10)
        assert pa.types.is_dictionary(batch["puzzle"].type)
        assert batch["id"].type == pa.string()
