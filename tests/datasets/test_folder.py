"""Rows are written as they come, and as many as announced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trm_edge.datasets.folder import DatasetWriter, SplitLayout

LAYOUT = SplitLayout(
    vocab_size=11,
    seq_len=3,
    identifiers=1,
    puzzle_identifiers=np.zeros(2, np.int32),
    puzzle_starts=np.arange(3, dtype=np.int32),
    group_starts=np.arange(3, dtype=np.int32),
    total_puzzles=2,
    mean_puzzle_examples=1.0,
)


def test_rows_are_numpy_arrays(tmp_path: Path) -> None:
    rows = np.arange(6).reshape(2, 3)
    with DatasetWriter(tmp_path / "out") as writer:
        with writer.split("test", LAYOUT, np.int64) as split:
            for row in rows:
                split.write(row.tobytes(), (row + 1).tobytes())
        writer.install()
    np.save(tmp_path / "expected.npy", rows)
    inputs = tmp_path / "out" / "test" / "all__inputs.npy"
    assert inputs.read_bytes() == (tmp_path / "expected.npy").read_bytes()
    assert np.array_equal(np.load(inputs.with_name("all__labels.npy")), rows + 1)


def test_missing_rows_are_a_fault(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="2 rows were announced"),
        DatasetWriter(tmp_path / "out") as writer,
        writer.split("test", LAYOUT, np.uint8) as split,
    ):
        split.write(b"123", b"123")
    assert list(tmp_path.iterdir()) == []
