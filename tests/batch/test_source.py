from __future__ import annotations

import os
import platform
from pathlib import Path

import pyarrow as pa
import pytest

from tests.batch.runs import puzzle_texts
from trm_edge.batch.rows import row_table
from trm_edge.batch.source import Blocks, Reading, RowSource
from trm_edge.errors import PuzzleError


class Source(RowSource):
    """Three blocks of two rows each."""

    def blocks(self, reading: Reading | None = None) -> Blocks:
        for first_row in (0, 2, 4):
            yield row_table(first_row, 2, {"puzzle": puzzle_texts(2)})


def write(folder: Path, *contents: str) -> tuple[Path, ...]:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"{len(list(folder.iterdir()))}-{number}"
        path.write_text(content)
        paths.append(path)
    return tuple(paths)


def test_ids_are_the_column_of_the_blocks() -> None:
    ids = pa.chunked_array([chunk for ids in Source("in", ()).ids() for chunk in ids.chunks])
    assert ids.to_pylist() == ["0", "1", "2", "3", "4", "5"]


def test_a_source_is_one_share_of_unknown_length() -> None:
    source = Source("in", ())
    assert source.shares() == [source]
    assert source.count() is None


def test_the_hash_covers_where_files_end_and_their_order(tmp_path: Path) -> None:
    first = Source("in", write(tmp_path, "ab", "c")).sha256()
    assert Source("other", write(tmp_path, "ab", "c")).sha256() == first
    assert Source("in", write(tmp_path, "a", "bc")).sha256() != first
    assert Source("in", write(tmp_path, "c", "ab")).sha256() != first
    assert Source("in", write(tmp_path, "abc")).sha256() != first


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=r"cannot read .*gone: No such file or directory\."):
        Source("in", (tmp_path / "gone",)).sha256()


@pytest.mark.parametrize("change", ["longer", "later", "gone"])
def test_a_file_that_changes_after_it_was_hashed_is_named(tmp_path: Path, change: str) -> None:
    first, second = write(tmp_path, "ab", "c")
    source = Source("in", (first, second))
    source.check_unchanged()  # nothing is known yet
    source.sha256()
    source.check_unchanged()
    if change == "longer":
        second.write_text("cd")
    elif change == "later":
        os.utime(second, ns=(0, 1))
    else:
        second.unlink()
    with pytest.raises(
        PuzzleError, match=rf"{second.name} was changed or removed while it was read"
    ):
        source.check_unchanged()


def test_on_another_machine_a_copy_has_a_date_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, "ab")
    source = Source("in", (path,))
    source.sha256()
    monkeypatch.setattr(platform, "node", lambda: "another")
    os.utime(path, ns=(0, 1))
    source.check_unchanged()
    path.write_text("abc")
    with pytest.raises(PuzzleError, match=r"was changed or removed while it was read"):
        source.check_unchanged()


def test_the_rows_are_estimated_from_the_share_that_was_read() -> None:
    reading = Reading()
    blocks = reading.counted(Source("in", ()).blocks(reading))
    assert reading.total() is None
    next(blocks)
    assert reading.total() is None  # the source does not tell its share
    reading.share = lambda: 0.25
    assert reading.total() == 8
    reading.share = lambda: 0.0
    assert reading.total() is None
    list(blocks)
    reading.share = lambda: 1.0
    assert reading.total() == reading.rows == 6
