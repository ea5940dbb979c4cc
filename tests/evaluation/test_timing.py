"""The statistics of times, on made-up times: no test here measures any."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from trm_edge.evaluation.timing import (
    change,
    interleaved,
    interleaved_calls,
    mean_by_round,
    quickest,
    ratio,
)


def test_every_run_has_a_turn_in_every_round() -> None:
    seconds_now = 0.0
    order: list[str] = []

    def clock() -> float:
        return seconds_now

    def work(name: str, seconds: float) -> None:
        nonlocal seconds_now
        order.append(name)
        seconds_now += seconds

    runs = {"a": lambda: work("a", 2.0), "b": lambda: work("b", 3.0)}
    times = interleaved(runs, 4, 0.0, clock)
    assert order == ["a", "a", "b", "b", *"abababab"]
    np.testing.assert_array_equal(times["a"], [2.0] * 4)
    np.testing.assert_array_equal(times["b"], [3.0] * 4)


def test_calls_that_warm_up_are_not_among_those_of_a_turn() -> None:
    clock = itertools.count().__next__
    calls: list[int] = []
    runs = {"short": lambda: calls.append(1)}
    turns = interleaved_calls(runs, 3, 0.02, clock)
    timed = [len(each) for each in turns["short"]]
    assert len(timed) == 3
    assert min(timed) >= 1
    assert sum(timed) < len(calls) - 2  # two before the first turn, and more before each
    means = mean_by_round(turns)
    np.testing.assert_array_equal(means["short"], [1.0] * 3)


def test_a_busy_machine_does_not_change_the_ratio() -> None:
    rng = np.random.default_rng(0)
    load = rng.uniform(1, 5, 40)  # the same for both, round by round
    measured = ratio(3.0 * load, 2.0 * load)
    assert (measured.median, measured.low, measured.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_quickest_call_is_the_undisturbed_one() -> None:
    seconds_now = 0.0
    rng = np.random.default_rng(0)

    def work(seconds: float) -> None:
        nonlocal seconds_now
        seconds_now += seconds * (1.0 if rng.random() < 0.2 else rng.uniform(1, 2))

    runs = {"a": lambda: work(2.0), "b": lambda: work(3.0)}
    shortest = quickest(runs, 0.05, 0.002, lambda: seconds_now)
    assert shortest == pytest.approx({"a": 2.0, "b": 3.0})


def test_calls_longer_than_the_measurement_have_one_turn() -> None:
    calls = {"a": 0, "b": 0}

    def call(name: str) -> None:
        calls[name] += 1

    runs = {name: partial(call, name) for name in calls}
    shortest = quickest(runs, 0.0, 0.0, iter(range(100)).__next__)
    assert shortest == {"a": 1.0, "b": 1.0}
    assert calls == {"a": 3, "b": 3}  # two to warm up


def test_disturbed_repeats_hardly_move_a_change() -> None:
    rng = np.random.default_rng(0)

    def run(slowdown: float) -> np.ndarray:
        disturbance = np.where(rng.random(16) < 0.3, rng.uniform(1, 1.25, 16), 1.0)
        return slowdown * disturbance * rng.lognormal(0, 0.01, 16)

    changes = [change(run(1.1), run(1.0)) for _ in range(200)]
    errors = np.array([measured.median / 1.1 - 1 for measured in changes])
    assert np.abs(errors).mean() < 0.02
    covered = np.mean([measured.low <= 1.1 <= measured.high for measured in changes])
    assert covered > 0.9
