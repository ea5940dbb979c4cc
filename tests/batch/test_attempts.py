"""Rows that were begun and not finished, and starts in vain."""

from __future__ import annotations

from trm_edge.batch.attempts import Attempts


def test_rows_that_were_not_finished_count() -> None:
    attempts = Attempts()
    assert [attempts.begin(0, 32), attempts.begin(0, 32), attempts.begin(0, 1)] == [1, 2, 1]
    attempts.finish("a", 0, 32)
    attempts.finish("a", 0, 1)
    assert [attempts.begin(0, 32), attempts.begin(0, 1)] == [2, 1]


def test_starts_count_until_a_worker_finishes_rows() -> None:
    attempts = Attempts()
    assert [attempts.start("a"), attempts.start("a"), attempts.start("b")] == [1, 2, 1]
    attempts.finish("a", 0, 32)
    assert [attempts.start("a"), attempts.start("b")] == [1, 2]
