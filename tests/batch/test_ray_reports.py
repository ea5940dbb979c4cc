"""What the workers of a run with Ray report."""

from __future__ import annotations

import pytest

from trm_edge.batch.ray_reports import BlockReport, ReportCollector, WorkerInfo


def test_finished_blocks_are_counted_by_worker() -> None:
    collector = ReportCollector()
    for worker in ("a", "b"):
        collector.ready(WorkerInfo(worker, f"engine of {worker}"))
    collector.take_block(0)
    collector.take_block(100)
    collector.advance(0, 60)
    assert collector.read().done == 60
    collector.finish_block(
        "a", 0, BlockReport(rows=100, seconds=2.0, slot_steps=90, capacity_steps=100)
    )
    collector.finish_block(
        "b", 100, BlockReport(rows=50, seconds=1.0, slot_steps=30, capacity_steps=50)
    )
    reports = collector.read()
    assert reports.rows == reports.done == 150
    assert reports.retried == 0
    assert reports.engines == {"a": "engine of a", "b": "engine of b"}
    assert (reports.states["a"].rows, reports.states["a"].seconds) == (100, 2.0)
    assert reports.occupancy == pytest.approx(0.8)


def test_a_block_that_is_begun_again_is_a_retry_and_counts_once() -> None:
    collector = ReportCollector()
    collector.take_block(0)
    collector.advance(0, 60)
    collector.take_block(0)
    assert collector.read().done == 0
    collector.finish_block(
        "b", 0, BlockReport(rows=100, seconds=1.0, slot_steps=10, capacity_steps=10)
    )
    reports = collector.read()
    assert reports.retried == 1
    assert reports.done == 100


def test_there_is_no_occupancy_before_the_first_block() -> None:
    assert ReportCollector().read().occupancy is None
