"""Samples of what a run uses while it lasts: memory by the kind of process, and CPU time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from lib.process_tree import process_tree

DRIVER = "driver"
SOLVERS = "solvers"
HELPERS = "helpers"
SERVICES = "services"
STORE = "store"
KINDS = (DRIVER, SOLVERS, HELPERS, SERVICES, STORE)
_RAY_WORKER = "ray::"  # Ray renames its workers to this and their task


@dataclass(frozen=True)
class UseSample:
    """What a run uses at one moment.

    Args:
        seconds: since the first sample.
        rows: that are solved.
        cpu_seconds: of all processes, those that have ended included, without the sampling.
        megabytes: memory by kind of process; ``store``: memory that the processes share.
    """

    seconds: float
    rows: int
    cpu_seconds: float
    megabytes: dict[str, float]

    @property
    def total(self) -> float:
        """Megabytes of all processes."""
        return sum(self.megabytes.values())


class UseSampler:
    """Samples this process and its descendants in the background.

    Args:
        rows: returns how many rows are solved.
        solvers: returns the ids of the processes that solve, beside this one.
        interval: seconds between two samples.
    """

    def __init__(
        self, rows: Callable[[], int], solvers: Callable[[], set[int]], interval: float
    ) -> None:
        self.samples: list[UseSample] = []
        self._rows = rows
        self._solvers = solvers
        self._interval = interval
        self._stop = threading.Event()
        self._start = time.monotonic()
        self._own_seconds = 0.0
        self._cpu_seconds: dict[int, float] = {}  # by process id; what an ended one had last stays

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample until the block ends, and then once more."""
        thread = threading.Thread(target=self._sample_until_stopped, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _sample_until_stopped(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._stop.wait(self._interval)
            self.samples.append(self._sample())
            self._own_seconds = time.thread_time()

    def _sample(self) -> UseSample:
        rows = self._rows()
        solvers = self._solvers()
        megabytes = dict.fromkeys(KINDS, 0.0)
        for use in process_tree(os.getpid()):
            kind = SERVICES
            if use.pid == os.getpid():
                kind = DRIVER
            elif use.pid in solvers:
                kind = SOLVERS
            elif use.title.startswith(_RAY_WORKER):
                kind = HELPERS
            megabytes[kind] += use.own_bytes / 1e6
            megabytes[STORE] += use.shared_bytes / 1e6
            before = self._cpu_seconds.get(use.pid, 0.0)
            self._cpu_seconds[use.pid] = max(before, use.cpu_seconds)
        cpu_seconds = sum(self._cpu_seconds.values()) - self._own_seconds
        return UseSample(time.monotonic() - self._start, rows, cpu_seconds, megabytes)


def sample_at(samples: Sequence[UseSample], rows: int) -> UseSample:
    """Find the first sample with so many rows, or the last one.

    Args:
        samples: of a run, in their order, at least one.
        rows: that were solved.
    """
    for sample in samples:
        if sample.rows >= rows:
            return sample
    return samples[-1]


def peak(samples: Sequence[UseSample], rows: int) -> dict[str, float]:
    """Find the most memory that each kind of process had.

    Args:
        samples: of a run.
        rows: that were solved before the first sample that counts.

    Returns:
        Megabytes by kind; ``total``: the most of all together at one moment.
    """
    later = [sample for sample in samples if sample.rows >= rows] or [samples[-1]]
    most = {kind: max(sample.megabytes[kind] for sample in later) for kind in KINDS}
    most["total"] = max(sample.total for sample in later)
    return most


def microseconds_a_row(samples: Sequence[UseSample], parts: int) -> tuple[list[float], list[float]]:
    """Compute what a row costs in each part of a run but the first.

    Args:
        samples: of a run.
        parts: of the same number of rows, that the run is cut into.

    Returns:
        Microseconds by the clock, and microseconds of CPU time of all processes, for each part.
    """
    growing = [samples[0]]
    for sample in samples[1:]:
        if sample.rows > growing[-1].rows:
            growing.append(sample)
    rows = np.array([sample.rows for sample in growing], np.float64)
    bounds = np.linspace(0, rows[-1], parts + 1)[1:]
    costs = []
    for seconds in (
        [sample.seconds for sample in growing],
        [sample.cpu_seconds for sample in growing],
    ):
        at_bounds = np.interp(bounds, rows, seconds)
        costs.append((1e6 * np.diff(at_bounds) / np.diff(bounds)).tolist())
    return costs[0], costs[1]
