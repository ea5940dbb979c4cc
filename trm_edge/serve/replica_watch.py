"""Asks the replicas, again and again, how they are."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from trm_edge.serve.ray_replica import ReplicaState
from trm_edge.serve.replies import Health, Status

logger = logging.getLogger(__name__)

_PERIOD = 0.5  # seconds between two questions


class ReplicaWatch:
    """A thread that asks; a context manager, which has the first answers on entry.

    Args:
        ask: returns the states of the replicas that run. It must end by itself.
        count: replicas that should run.
        period: seconds between two questions.
    """

    def __init__(
        self, ask: Callable[[], Sequence[ReplicaState]], count: int, period: float = _PERIOD
    ) -> None:
        self._ask = ask
        self._count = count
        self._period = period
        self._states: Sequence[ReplicaState] = ()
        self._reported = count
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trm-edge-replicas", daemon=True)

    def __enter__(self) -> ReplicaWatch:
        self.refresh()
        self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def refresh(self) -> None:
        """Ask once. Where nobody can tell, the states stay as they were."""
        try:
            self._states = self._ask()
        except Exception:
            logger.debug("the replicas did not say how they are:", exc_info=True)
            return
        running = self._running()
        if running != self._reported:
            log = logger.warning if running < self._reported else logger.info
            log("%d of %d replicas work", running, self._count)
            self._reported = running

    def health(self) -> Health:
        """Sum up: ready where one replica is."""
        status: Status = "ready" if self._running() else "replacing"
        waiting = sum(state.health.waiting for state in self._states)
        in_flight = sum(state.health.in_flight for state in self._states)
        return Health(status, waiting, in_flight)

    def _running(self) -> int:
        return sum(state.health.status == "ready" for state in self._states)

    def _run(self) -> None:
        while not self._ended.wait(self._period):
            self.refresh()
