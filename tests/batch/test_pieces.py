from __future__ import annotations

import pytest

from tests.batch.runs import puzzle_texts
from trm_edge.batch import pieces as pieces_module
from trm_edge.batch.pieces import FIRST_ROWS, Pieces
from trm_edge.batch.rows import row_table
from trm_edge.batch.source import BLOCK_ROWS


def test_pieces_grow_with_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pieces_module.time, "monotonic", lambda: now)
    block = row_table(0, BLOCK_ROWS, {"puzzle": puzzle_texts(1) * BLOCK_ROWS})
    pieces = Pieces(seconds=2.0)
    sizes = []
    for piece in pieces.cut([block, block]):
        sizes.append(len(piece))
        now += 0.1
        pieces.finish(len(piece))
    assert sizes[0] == FIRST_ROWS
    assert sizes[1] == 640  # 320 rows a second for two seconds
    assert sum(sizes) == 2 * BLOCK_ROWS
    assert max(sizes) <= BLOCK_ROWS


def test_pieces_of_a_slow_model_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pieces_module.time, "monotonic", lambda: now)
    pieces = Pieces()
    for piece in pieces.cut([row_table(0, 100, {"puzzle": puzzle_texts(100)})]):
        now += 60
        pieces.finish(len(piece))
        assert len(piece) <= FIRST_ROWS
