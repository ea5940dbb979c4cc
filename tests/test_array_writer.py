"""Arrays that are written part by part are those that numpy reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trm_edge.array_writer import ArrayWriter


def test_the_parts_make_the_array(tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    rows = np.arange(12, dtype=np.float64).reshape(4, 3)
    with ArrayWriter(path, (4, 3), np.dtype(np.float32)) as writer:
        writer.write(rows[:1])
        writer.write(rows[1:, ::1])
    stored = np.load(path, mmap_mode="r")
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, rows)
    np.save(tmp_path / "numpy.npy", rows.astype(np.float32))
    assert path.read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="needs 12 elements, but got 3"),
        ArrayWriter(tmp_path / "rows.npy", (4, 3), np.dtype(np.int8)) as writer,
    ):
        writer.write(np.zeros((1, 3), np.int8))
