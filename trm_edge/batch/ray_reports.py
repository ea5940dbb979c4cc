"""What the workers report while a run lasts: which engine each chose, and how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from trm_edge.batch.attempts import Attempts

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class WorkerInfo:
    """A worker that is ready.

    Args:
        name: host and process.
        engine: what runs the step, and why it was chosen.
    """

    name: str
    engine: str


@dataclass(frozen=True)
class BlockReport:
    """A block that was solved.

    Args:
        rows: of the block.
        seconds: that it took.
        slot_steps: steps, summed over the slots that held a puzzle.
        capacity_steps: steps, summed over all slots.
    """

    rows: int
    seconds: float
    slot_steps: int
    capacity_steps: int

    @property
    def occupancy(self) -> float:
        """Share of the slots that held a puzzle."""
        return self.slot_steps / self.capacity_steps if self.capacity_steps else 1.0


@dataclass
class WorkerState:
    """What one worker has done.

    Args:
        rows: in blocks that it finished.
        seconds: that they took.
        slot_steps: as in :class:`BlockReport`.
        capacity_steps: likewise.
    """

    rows: int = 0
    seconds: float = 0.0
    slot_steps: int = 0
    capacity_steps: int = 0


@dataclass
class Reports:
    """All that was reported.

    Args:
        states: of the workers, by name.
        engines: of the workers, by name, in the order in which they were ready.
        retried: blocks that were begun again.
        rows: in blocks that were finished.
        open_rows: rows done of the blocks in work, by first row.
    """

    states: dict[str, WorkerState] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)
    retried: int = 0
    rows: int = 0
    open_rows: dict[int, int] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Rows that have an answer, those in blocks that are not finished included."""
        return self.rows + sum(self.open_rows.values())

    @property
    def occupancy(self) -> float | None:
        """Share of the slots that held a puzzle, over all workers; None before the first block."""
        capacity = sum(state.capacity_steps for state in self.states.values())
        if not capacity:
            return None
        return sum(state.slot_steps for state in self.states.values()) / capacity


class ReportCollector:
    """Collects reports, and what dead workers left behind; runs as an actor beside the driver."""

    def __init__(self) -> None:
        self._reports = Reports()
        self._attempts = Attempts()

    def start(self, worker: str) -> int:
        """Take note of a worker that starts; see :meth:`Attempts.start`.

        Args:
            worker: its id.
        """
        return self._attempts.start(worker)

    def begin(self, first_row: int, rows: int) -> int:
        """Take note of rows that are begun; see :meth:`Attempts.begin`.

        Args:
            first_row: of them.
            rows: how many.
        """
        return self._attempts.begin(first_row, rows)

    def finish(self, worker: str, first_row: int, rows: int) -> None:
        """Take note of rows that were finished; see :meth:`Attempts.finish`.

        Args:
            worker: its id.
            first_row: of them.
            rows: how many.
        """
        self._attempts.finish(worker, first_row, rows)

    def ready(self, info: WorkerInfo) -> None:
        """Take note of a worker that is ready.

        Args:
            info: of the worker.
        """
        self._reports.engines[info.name] = info.engine
        self._reports.states.setdefault(info.name, WorkerState())

    def take_block(self, first_row: int) -> None:
        """Take note of a block that a worker begins; one that was begun before is a retry.

        Args:
            first_row: of the block.
        """
        if first_row in self._reports.open_rows:
            self._reports.retried += 1
        self._reports.open_rows[first_row] = 0

    def advance(self, first_row: int, rows: int) -> None:
        """Take note of how far a block is.

        Args:
            first_row: of the block.
            rows: done so far.
        """
        self._reports.open_rows[first_row] = rows

    def finish_block(self, worker: str, first_row: int, report: BlockReport) -> None:
        """Take note of a block that was solved.

        Args:
            worker: its name.
            first_row: of the block.
            report: of the block.
        """
        self._reports.open_rows.pop(first_row, None)
        self._reports.rows += report.rows
        state = self._reports.states.setdefault(worker, WorkerState())
        state.rows += report.rows
        state.seconds += report.seconds
        state.slot_steps += report.slot_steps
        state.capacity_steps += report.capacity_steps

    def read(self) -> Reports:
        """Return all that was reported."""
        return self._reports


class Reporter:
    """Reads the reports once a second, and logs each worker when it is ready.

    Args:
        collector: handle of the actor.
    """

    def __init__(self, collector: Any) -> None:
        self.collector = collector
        self.reports = Reports()
        self._stop = threading.Event()
        self._logged: set[str] = set()

    @contextmanager
    def running(self) -> Iterator[Reporter]:
        """Read in the background until the block ends, and then once more."""
        thread = threading.Thread(target=self._poll, name="trm-edge-reports", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(_ANSWER_SECONDS)
            self._read()

    def _poll(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self._read()

    def _read(self) -> None:
        import ray

        try:
            self.reports = ray.get(self.collector.read.remote(), timeout=_ANSWER_SECONDS)
        except (ray.exceptions.RayError, ConnectionError, RuntimeError) as error:
            logger.debug("no reports of the workers: %s", error)
            return
        for name, engine in self.reports.engines.items():
            if name not in self._logged:
                self._logged.add(name)
                logger.info("worker %s: %s", name, engine)
