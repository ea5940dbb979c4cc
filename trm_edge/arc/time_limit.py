"""A time limit: cancels the solver so early that everything is written when the time is over."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trm_edge.loop.solver import Solver

_WAKE_SECONDS = 0.05


class TimeLimit:
    """Watches the clock in a thread, as a context manager.

    The solver is cancelled when another step and writing the files would end too late.

    Args:
        solver: that works meanwhile.
        end: by time.monotonic(); infinity for no limit.
    """

    def __init__(self, solver: Solver, end: float) -> None:
        self._solver = solver
        self._end = end
        self._start = time.monotonic()
        self._first_step = solver.slot_steps
        self._is_over = threading.Event()
        self._closes = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="trm-edge-limit", daemon=True)
        self.writing_seconds = 0.0  # that the last save took; another one comes at the end

    def __enter__(self) -> TimeLimit:
        if self._end != float("inf"):
            self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closes.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self._is_over.is_set() or self._left() <= 0

    def _left(self) -> float:
        """Seconds until the last moment at which a step can begin."""
        return self._end - time.monotonic() - self._step_seconds() - 2 * self.writing_seconds

    def _step_seconds(self) -> float:
        """The mean time of a step of all slots so far; 0 before the first."""
        slot_steps = self._solver.slot_steps - self._first_step
        if not slot_steps:
            return 0.0
        return (time.monotonic() - self._start) * self._solver.batch / slot_steps

    def _watch(self) -> None:
        while not self._closes.wait(_WAKE_SECONDS):
            if self._solver.slot_steps == self._first_step:
                self._start = time.monotonic()
            if self._left() <= 0:
                self._is_over.set()
                self._solver.cancel()  # again and again: between two streams it has no effect
