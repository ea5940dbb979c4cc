from __future__ import annotations

import numpy as np

from trm_edge.batch.row_set import CHUNK, RowSet


def test_rows_of_several_chunks() -> None:
    rows = RowSet()
    some = np.array([0, CHUNK - 1, CHUNK, 7 * CHUNK + 3, 1 << 50])
    rows.add(some)
    assert rows.contains(some).all()
    assert not rows.contains(some + 2).any()
    assert len(rows) == 5


def test_a_full_chunk_is_forgotten() -> None:
    rows = RowSet()
    rows.add(np.arange(CHUNK + 5))
    assert rows._chunks[0] is None
    assert rows.contains(np.arange(CHUNK + 10)).sum() == CHUNK + 5
