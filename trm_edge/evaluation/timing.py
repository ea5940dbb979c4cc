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
QUICK = 10  # percentile of the rounds: what work takes when it is left alone
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
    *,
    quickest: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Seconds of one call, by name and round; each turn lasts ``seconds`` or one call.

    A turn of short calls begins with some that are not timed: threads of the one before still spin.

    Args:
        clock: what seconds are taken from; how long a turn lasts goes by the wall's.
        quickest: of the calls of a turn the quickest one, instead of their mean.
    """
    long = set()  # a call outlasts a turn
    for name, run in runs.items():
        run()
        began = time.perf_counter()
        run()
        if time.perf_counter() - began > seconds:
            long.add(name)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if name not in long:
                until = time.perf_counter() + seconds / 4
                while time.perf_counter() < until:
                    run()
            until, calls = time.perf_counter() + seconds, [clock()]
            while len(calls) == 1 or time.perf_counter() < until:
                run()
                calls.append(clock())
            each = np.diff(calls)
            times[name].append(float(each.min() if quickest else each.mean()))
    return {name: np.array(found) for name, found in times.items()}


def ratio(slow: NDArray[np.float64], quick: NDArray[np.float64]) -> Ratio:
    """``slow`` / ``quick`` of the same rounds."""
    by_round = slow / quick
    low, high = np.percentile(_medians(by_round, np.random.default_rng(0)), [2.5, 97.5])
    return Ratio(float(np.median(by_round)), float(low), float(high))


def undisturbed(times: NDArray[np.float64], yardstick: NDArray[np.float64]) -> float:
    """What the quick rounds of one take over the quick rounds of the other.

    Others on a machine only ever add time, and not to both alike: what needs the cache that they
    share slows down by some percent more. Quick rounds are those that met nobody.
    """
    return float(np.percentile(times, QUICK) / np.percentile(yardstick, QUICK))


Pair = tuple[NDArray[np.float64], NDArray[np.float64]]  # times of work, and of a yardstick


def change(now: Pair, then: Pair) -> Ratio:
    """How :func:`undisturbed` has changed from one run to another."""
    rng = np.random.default_rng(0)
    drawn = [
        np.percentile(rng.choice(times, (DRAWS, len(times))), QUICK, axis=1)
        for times in (*now, *then)
    ]
    low, high = np.percentile(drawn[0] / drawn[1] / (drawn[2] / drawn[3]), [2.5, 97.5])
    return Ratio(undisturbed(*now) / undisturbed(*then), float(low), float(high))


def _medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = np.median(rng.choice(values, (DRAWS, len(values))), axis=1)
    return drawn
