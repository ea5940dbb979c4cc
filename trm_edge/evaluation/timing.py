"""Times taken side by side: everything has its turn in every round, and ratios are by round.

A machine that others use is slow for a while and then is not. What has its turn next to what it is
compared with meets the same machine, so a ratio holds where a time does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000  # of a bootstrap
Clock = Callable[[], float]  # seconds


@dataclass(frozen=True)
class Ratio:
    """A ratio of times: the median over rounds, with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} - {self.high:.2f})"


def interleaved(
    runs: Mapping[str, Callable[[], Any]],
    rounds: int,
    seconds: float,
    clock: Clock = time.perf_counter,
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call, by name and round; each turn lasts ``seconds`` or one call.

    Args:
        clock: what seconds are taken from; how long a turn lasts goes by the wall's.
    """
    long = _warm(runs, seconds)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(float(_turn(run, seconds, clock, long=name in long).mean()))
    return {name: np.array(found) for name, found in times.items()}


def quickest(
    runs: Mapping[str, Callable[[], Any]],
    seconds: float,
    turn: float,
    clock: Clock = time.perf_counter,
) -> dict[str, float]:
    """Seconds of the quickest call of each, by name: turns side by side for so long, one at least.

    Others on a machine only ever add time, and not to all alike: what needs the cache that they
    share slows down by some percent more. A quickest call is one that met nobody.
    """
    long = _warm(runs, turn)
    least = dict.fromkeys(runs, np.inf)
    until = time.perf_counter() + seconds
    while True:
        for name, run in runs.items():
            times = _turn(run, turn, clock, long=name in long)
            least[name] = min(least[name], float(times.min()))
        if time.perf_counter() >= until:
            return least


def ratio(slow: NDArray[np.float64], quick: NDArray[np.float64]) -> Ratio:
    """``slow`` / ``quick`` of the same rounds."""
    by_round = slow / quick
    low, high = np.percentile(_medians(by_round, np.random.default_rng(0)), [2.5, 97.5])
    return Ratio(float(np.median(by_round)), float(low), float(high))


def change(now: NDArray[np.float64], then: NDArray[np.float64]) -> Ratio:
    """How the median of one run has changed from that of another, of values that are no pairs."""
    rng = np.random.default_rng(0)
    low, high = np.percentile(_medians(now, rng) / _medians(then, rng), [2.5, 97.5])
    return Ratio(float(np.median(now) / np.median(then)), float(low), float(high))


def _warm(runs: Mapping[str, Callable[[], Any]], turn: float) -> set[str]:
    """Call each twice; those of which one call outlasts a turn."""
    long = set()
    for name, run in runs.items():
        run()
        began = time.perf_counter()
        run()
        if time.perf_counter() - began > turn:
            long.add(name)
    return long


def _turn(run: Callable[[], Any], seconds: float, clock: Clock, *, long: bool) -> NDArray[Any]:
    """Seconds of each call of a turn.

    A turn of short calls begins with some that are not timed: threads of the one before still spin.
    """
    if not long:
        until = time.perf_counter() + seconds / 4
        while time.perf_counter() < until:
            run()
    until, calls = time.perf_counter() + seconds, [clock()]
    while len(calls) == 1 or time.perf_counter() < until:
        run()
        calls.append(clock())
    return np.diff(calls)


def _medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = np.median(rng.choice(values, (DRAWS, len(values))), axis=1)
    return drawn
