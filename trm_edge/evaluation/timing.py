"""Timing side by side: every run has a turn in every round, and ratios are taken by round.

A machine that others use is slow for a while and then is not. A run that has its turn next to what
it is compared with meets the same machine, so a ratio holds where a time does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000  # of a bootstrap
_WARM_UP_CALLS = 2  # of each run before its first turn; the first may allocate or compile
Clock = Callable[[], float]  # seconds


@dataclass(frozen=True)
class Ratio:
    """A ratio of times: the median over rounds, with its 95 % bootstrap interval.

    Args:
        median: median ratio.
        low: lower end of the interval.
        high: upper end of the interval.
    """

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
    """Time runs side by side; each turn lasts ``seconds`` or one call.

    Args:
        runs: callables by name.
        rounds: turns that each run has.
        seconds: length of a turn by the wall clock.
        clock: measures the calls, in seconds.

    Returns:
        By name, the mean seconds of one call in each round, (rounds,).
    """
    return mean_by_round(interleaved_calls(runs, rounds, seconds, clock))


def interleaved_calls(
    runs: Mapping[str, Callable[[], Any]],
    rounds: int,
    seconds: float,
    clock: Clock = time.perf_counter,
) -> dict[str, list[NDArray[np.float64]]]:
    """Time runs side by side, as :func:`interleaved` does, and keep every call.

    Args:
        runs: callables by name.
        rounds: turns that each run has.
        seconds: length of a turn by the wall clock.
        clock: measures the calls, in seconds.

    Returns:
        By name and round, the seconds of the calls of the turn, (calls,); calls that warm up are
        not among them.
    """
    long_runs = _warm_up(runs, seconds)
    turns: dict[str, list[NDArray[np.float64]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            turns[name].append(_turn(run, seconds, clock, warm_up=name not in long_runs))
    return turns


def mean_by_round(
    turns: Mapping[str, list[NDArray[np.float64]]],
) -> dict[str, NDArray[np.float64]]:
    """Average the calls of each turn.

    Args:
        turns: of :func:`interleaved_calls`.

    Returns:
        By name, the mean seconds of one call in each round, (rounds,).
    """
    means = {}
    for name, calls_by_round in turns.items():
        means[name] = np.array([float(calls.mean()) for calls in calls_by_round])
    return means


def quickest(
    runs: Mapping[str, Callable[[], Any]],
    seconds: float,
    turn: float,
    clock: Clock = time.perf_counter,
) -> dict[str, float]:
    """Find the quickest call of each run, in turns side by side.

    Other processes only ever add time, and not equally to all runs: one that needs the shared cache
    slows down by some percent more. The quickest call is the one that nothing disturbed.

    Args:
        runs: callables by name.
        seconds: measure for this long by the wall clock; every run has at least one turn.
        turn: seconds of one turn.
        clock: measures the calls, in seconds.

    Returns:
        By name, seconds of the quickest call.
    """
    long_runs = _warm_up(runs, turn)
    shortest = dict.fromkeys(runs, np.inf)
    end = time.perf_counter() + seconds
    while True:
        for name, run in runs.items():
            calls = _turn(run, turn, clock, warm_up=name not in long_runs)
            shortest[name] = min(shortest[name], float(calls.min()))
        if time.perf_counter() >= end:
            return shortest


def ratio(slow: NDArray[np.float64], quick: NDArray[np.float64]) -> Ratio:
    """Compute ``slow`` / ``quick`` round by round.

    Args:
        slow: seconds by round, (n,).
        quick: seconds of the same rounds, (n,).
    """
    by_round = slow / quick
    medians = _bootstrap_medians(by_round, np.random.default_rng(0))
    low, high = np.percentile(medians, [2.5, 97.5])
    return Ratio(float(np.median(by_round)), float(low), float(high))


def change(current: NDArray[np.float64], baseline: NDArray[np.float64]) -> Ratio:
    """Compute the ratio of two medians of unpaired values.

    Args:
        current: seconds of the current run, (n,).
        baseline: seconds of an earlier run, (m,).
    """
    rng = np.random.default_rng(0)
    medians = _bootstrap_medians(current, rng) / _bootstrap_medians(baseline, rng)
    low, high = np.percentile(medians, [2.5, 97.5])
    return Ratio(float(np.median(current) / np.median(baseline)), float(low), float(high))


def _warm_up(runs: Mapping[str, Callable[[], Any]], turn: float) -> set[str]:
    """Call each run ``_WARM_UP_CALLS`` times; return the names of those slower than a turn."""
    long_runs = set()
    for name, run in runs.items():
        for _ in range(_WARM_UP_CALLS):
            start = time.perf_counter()
            run()
            seconds = time.perf_counter() - start
        if seconds > turn:
            long_runs.add(name)
    return long_runs


def _turn(
    run: Callable[[], Any], seconds: float, clock: Clock, *, warm_up: bool
) -> NDArray[np.float64]:
    """Seconds of each call of a turn.

    A turn of short calls begins with some that are not timed, because the threads of the run
    before still spin.
    """
    if warm_up:
        end = time.perf_counter() + seconds / 4
        while time.perf_counter() < end:
            run()
    end = time.perf_counter() + seconds
    readings = [clock()]
    while len(readings) == 1 or time.perf_counter() < end:
        run()
        readings.append(clock())
    return np.diff(readings)


def _bootstrap_medians(
    values: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    draws = rng.choice(values, (DRAWS, len(values)))
    medians: NDArray[np.float64] = np.median(draws, axis=1)
    return medians
