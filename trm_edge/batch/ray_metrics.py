"""Metrics of the workers, which Ray's own exporter serves to Prometheus."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from ray.util.metrics import Counter, Gauge

from trm_edge.batch.ray_reports import BlockReport


class WorkerMetrics:
    """Counts what one worker does. Ray puts ``ray_`` before the names, and ``_total`` after counts.

    Args:
        worker: its name.
    """

    def __init__(self, worker: str) -> None:
        tags = {"worker": worker}
        self._rows = Counter(
            "trm_edge_rows", "Rows that were solved or have failed.", ("worker", "outcome")
        )
        self._rows.set_default_tags(tags)
        self._seconds = Counter("trm_edge_busy_seconds", "Seconds at work.", ("worker",))
        self._seconds.set_default_tags(tags)
        self._slot_steps = Counter("trm_edge_slot_steps", "Steps, summed over slots.", ("worker",))
        self._slot_steps.set_default_tags(tags)
        self._occupancy = Gauge(
            "trm_edge_occupancy", "Share of the slots that held a puzzle, last block.", ("worker",)
        )
        self._occupancy.set_default_tags(tags)

    def add(self, answers: pa.Table, report: BlockReport) -> None:
        """Count a block.

        Args:
            answers: with the columns of ``ANSWER_SCHEMA``.
            report: of the block.
        """
        for entry in pc.value_counts(answers["outcome"]).to_pylist():
            self._rows.inc(entry["counts"], {"outcome": entry["values"]})
        if report.seconds > 0:
            self._seconds.inc(report.seconds)
        if report.slot_steps:
            self._slot_steps.inc(report.slot_steps)
            self._occupancy.set(report.occupancy)
