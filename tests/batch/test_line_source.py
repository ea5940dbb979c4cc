"""Rows of text files are counted where they are few, and estimated where they are many."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.batch.runs import TASK, puzzle_texts
from trm_edge.batch import line_source
from trm_edge.batch.open_source import open_source
from trm_edge.batch.source import BLOCK_ROWS, Reading
from trm_edge.errors import PuzzleError

TEXT = puzzle_texts(1)[0]
FILES = {
    "in.csv": f"puzzle\n{TEXT}\n\n{TEXT}\nbad,row,here\n",
    "in.jsonl": f'{{"puzzle": "{TEXT}"}}\n\n{{"puzzle": "{TEXT}"}}\nnope\n',
    "in.txt": f"{TEXT}\n\n{TEXT}\nno puzzle\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_the_count_is_that_of_all_rows(tmp_path: Path, name: str, packed: bool) -> None:
    """Lines that are no puzzle are rows, which fail."""
    content = FILES[name].encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if packed else content)
    source = open_source(TASK, tmp_path / name)
    assert source.count() == sum(map(len, source.blocks())) == 3


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("puzzle,id\n")
    assert open_source(TASK, tmp_path / "in.csv").count() == 0


@pytest.mark.parametrize("name", FILES)
def test_large_files_are_not_counted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(FILES[name])
    source = open_source(TASK, tmp_path / name)
    monkeypatch.setattr(line_source, "MAX_COUNTED", 100)
    assert source.count() is None


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_vanishes_is_not_counted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(FILES[name])
    source = open_source(TASK, tmp_path / name)
    (tmp_path / name).unlink()
    assert source.count() is None
    with pytest.raises(PuzzleError, match="No such file"):
        list(source.blocks())


@pytest.mark.parametrize("name", FILES)
def test_the_rows_are_estimated_from_the_bytes_read(tmp_path: Path, name: str) -> None:
    rows = 16 * BLOCK_ROWS
    header = ["puzzle"] if name == "in.csv" else []
    line = f'{{"puzzle": "{TEXT}"}}' if name == "in.jsonl" else TEXT
    (tmp_path / name).write_text("\n".join([*header, *[line] * rows]))
    reading = Reading()
    blocks = reading.counted(open_source(TASK, tmp_path / name).blocks(reading))
    assert reading.total() is None
    for _ in range(8):
        next(blocks)
    assert reading.total() == pytest.approx(rows, rel=0.15)  # some lines are read ahead
    assert sum(map(len, blocks)) == rows - 8 * BLOCK_ROWS
    assert reading.total() == rows


def test_a_packed_file_counts_its_packed_bytes(tmp_path: Path) -> None:
    """Unpacked, the file has twice as many bytes, so only the packed position is a share."""
    rng = np.random.default_rng(0)
    characters = rng.integers(ord("1"), ord("9") + 1, (64 * BLOCK_ROWS, 82)).astype(np.uint8)
    characters[:, 81] = ord("\n")
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(b"puzzle\n" + characters.tobytes(), 1))
    reading = Reading()
    blocks = reading.counted(open_source(TASK, path).blocks(reading))
    for _ in range(32):
        next(blocks)
    share = reading.share()
    assert share is not None
    assert 0.4 < share < 0.65
    assert reading.total() == pytest.approx(len(characters), rel=0.25)
    blocks.close()  # type: ignore[attr-defined]


def test_sources_that_know_their_rows_tell_no_share(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    np.save(tmp_path / "test" / "all__inputs.npy", np.ones((5, 81), np.uint8))
    source = open_source(TASK, tmp_path)
    reading = Reading()
    assert sum(map(len, reading.counted(source.blocks(reading)))) == source.count() == 5
    assert reading.total() is None
