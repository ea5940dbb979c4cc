"""Deadlines: the time of a step, from which the loop decides whether another one is in time."""

from __future__ import annotations

from collections import deque
from math import inf

from trm_edge.errors import ConfigError

_REMEMBERED = 16  # steps


class StepTimes:
    """The times of the last steps."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)

    def record(self, seconds: float) -> None:
        """Record the time of a step.

        Args:
            seconds: it took.
        """
        self._seconds.append(seconds)

    @property
    def expected(self) -> float:
        """Seconds that the next step takes at most, but for a rare one; 0 where none is known.

        It is the second largest of the last times: a single step that the machine held up does not
        shorten the puzzles after it.
        """
        if len(self._seconds) < 2:
            return max(self._seconds, default=0.0)
        return sorted(self._seconds)[-2]


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
