"""Deadlines: the time of a step, from which the loop decides whether another one is in time."""

from __future__ import annotations

from collections import deque
from math import inf

from trm_edge.errors import ConfigError

_REMEMBERED = 16  # steps of a number of slots


class StepTimes:
    """The times of the last steps, apart for every number of slots."""

    def __init__(self) -> None:
        self._by_slots: dict[int, deque[float]] = {}
        self._latest: deque[float] = deque()

    def record(self, seconds: float, slots: int) -> None:
        """Record the time of a step.

        Args:
            seconds: it took, from its launch to its outcome.
            slots: that it advanced.
        """
        self._latest = self._by_slots.setdefault(slots, deque(maxlen=_REMEMBERED))
        self._latest.append(seconds)

    @property
    def expected(self) -> float:
        """Seconds that a step like the last one takes at most, but for a rare one; 0 before any.

        It is the second largest of the last times with as many slots: a single step that the
        machine held up does not shorten the puzzles after it.
        """
        if len(self._latest) < 2:
            return max(self._latest, default=0.0)
        return sorted(self._latest)[-2]


def check_deadline(seconds: float | None) -> float:
    """Refuse a deadline that is no positive time.

    Args:
        seconds: from taking a puzzle to its answer; None: no deadline.

    Returns:
        The deadline; infinity for None.

    Raises:
        ConfigError: it is not positive.
    """
    if seconds is None:
        return inf
    if not seconds > 0:
        raise ConfigError(f"a deadline must be longer than 0 seconds, but got {seconds}.")
    return float(seconds)
