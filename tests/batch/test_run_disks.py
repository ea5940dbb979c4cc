"""Runs on disks that are full or read-only, and the files that are open after a run has failed."""

from __future__ import annotations

import errno
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.batch.disks import remount, small_disk
from tests.batch.runs import (
    POISON,
    TASK,
    PoisonBackend,
    parts_of,
    puzzle_texts,
    read_folder,
    run_in,
    write_input,
)
from tests.open_files import open_files
from trm_edge.batch.open_source import open_source
from trm_edge.batch.source import BLOCK_ROWS
from trm_edge.batch.unique_ids import check_ids
from trm_edge.errors import BackendError, OutputError, PuzzleError


def fail_on_sync(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the disk be full when a file is written.

    Args:
        monkeypatch: of the test.
        number: of the file, from 1.
    """
    synced = 0

    def fsync(fd: int | BinaryIO) -> None:
        nonlocal synced
        synced += 1
        if synced == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(150))
    with small_disk(tmp_path / "disk", "64k"):
        folder = tmp_path / "disk" / "out.parquet"
        filler = tmp_path / "disk" / "filler"
        filler.write_bytes(bytes(36 << 10))
        with pytest.raises(OutputError, match=r"No space left.*same command goes on"):
            run_in(folder, source, part_rows=32)
        before = read_folder(folder)["row"].to_pylist()
        assert len(before) == len(set(before)) < 150
        filler.unlink()
        remount(tmp_path / "disk", "size=1m")
        run_in(folder, source, part_rows=32)
        assert read_folder(folder)["row"].to_pylist() == list(range(150))


def test_a_write_that_fails_leaves_the_parts_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(150))
    fail_on_sync(monkeypatch, 3)  # the fingerprint and a part come before
    with pytest.raises(OutputError, match=r"No space left.*make room"):
        run_in(tmp_path / "out.parquet", source)
    assert len(list(parts_of(tmp_path / "out.parquet"))) == 1
    run_in(tmp_path / "out.parquet", source)
    assert read_folder(tmp_path / "out.parquet")["row"].to_pylist() == list(range(150))


def test_a_read_only_disk_is_refused_before_anything_is_solved(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    with small_disk(tmp_path / "disk", "1m"):
        remount(tmp_path / "disk", "ro")
        backend = PoisonBackend()
        with pytest.raises(OutputError, match="Read-only file system"):
            run_in(tmp_path / "disk" / "out.parquet", source, backend=backend)
        assert backend.steps_run == 0


def test_a_place_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is not a folder"):
        run_in(tmp_path / "file" / "out.parquet", source)


# --- open files --------------------------------------------------------------------------------


def write_csv(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join(["puzzle", *texts, ""]))
    return path


def write_packed_csv(path: Path, texts: list[str]) -> Path:
    path.write_bytes(gzip.compress("\n".join(["puzzle", *texts, ""]).encode()))
    return path


def write_json_lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"puzzle": text}) + "\n" for text in texts))
    return path


def write_text(path: Path, texts: list[str]) -> Path:
    path.write_text("\n".join([*texts, ""]))
    return path


WRITERS = [write_input, write_csv, write_packed_csv, write_json_lines, write_text]


@pytest.mark.parametrize("write", WRITERS)
def test_a_write_that_fails_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, list[str]], Path]
) -> None:
    """The input is closed, too, though the error that is kept holds the frames of the run."""
    source = write(tmp_path / "in", puzzle_texts(3 * BLOCK_ROWS))
    fail_on_sync(monkeypatch, 2)  # the fingerprint comes before
    with pytest.raises(OutputError, match="No space left") as caught:
        run_in(tmp_path / "out.parquet", source)
    assert open_files(tmp_path) == []
    assert caught.value.__traceback__ is not None


def test_a_retry_that_cannot_be_written_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_input(tmp_path / "in.parquet", ["no puzzle"] * (3 * BLOCK_ROWS))
    run_in(tmp_path / "out.parquet", source, part_rows=BLOCK_ROWS)
    before = {path: path.read_bytes() for path in parts_of(tmp_path / "out.parquet")}
    fail_on_sync(monkeypatch, 1)
    with pytest.raises(OutputError, match="No space left") as caught:
        run_in(tmp_path / "out.parquet", source, retry_failed=True)
    assert open_files(tmp_path) == []
    assert caught.value.__traceback__ is not None
    assert {path: path.read_bytes() for path in before} == before


def test_an_engine_that_fails_leaves_no_file_open(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", [POISON] * (3 * BLOCK_ROWS))
    with pytest.raises(BackendError, match="one after another") as caught:
        run_in(tmp_path / "out.parquet", source, backend=PoisonBackend())
    assert open_files(tmp_path) == []
    assert caught.value.__traceback__ is not None


def test_parts_that_are_refused_are_closed(tmp_path: Path) -> None:
    source = write_input(tmp_path / "in.parquet", puzzle_texts(10))
    folder = tmp_path / "out.parquet"
    run_in(folder, source)
    (part,) = parts_of(folder)
    copy = folder / "rows-copy.parquet"
    copy.write_bytes(part.read_bytes())
    with pytest.raises(OutputError, match="stands in the answers already") as caught:
        run_in(folder, source)
    assert open_files(tmp_path) == []
    pq.write_table(pa.table({"row": [1]}), copy)
    with pytest.raises(OutputError, match="has no column id") as caught:
        run_in(folder, source)
    assert open_files(tmp_path) == []
    assert caught.value.__traceback__ is not None


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_ids_that_are_refused_close_the_input(tmp_path: Path, kind: str) -> None:
    texts = puzzle_texts(3 * BLOCK_ROWS)
    path = tmp_path / "in"
    ids = [f"p{number}" for number in range(len(texts))]
    ids[3] = ids[5]
    if kind == "parquet":
        pq.write_table(pa.table({"id": ids, "puzzle": texts}), path)
    elif kind == "csv":
        rows = [f"{name},{text}" for name, text in zip(ids, texts, strict=True)]
        path.write_text("\n".join(["id,puzzle", *rows]))
    else:
        with path.open("w") as file:
            for name, text in zip(ids, texts, strict=True):
                file.write(json.dumps({"id": name, "puzzle": text}) + "\n")
    with pytest.raises(PuzzleError, match="in rows 3 and 5") as caught:
        check_ids(open_source(TASK, path))
    assert open_files(tmp_path) == []
    assert caught.value.__traceback__ is not None
