"""The statistics of times, on times that are made up: no test here measures any."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from trm_edge.evaluation.timing import change, interleaved, quickest, ratio


def test_everything_has_its_turn_in_every_round() -> None:
    now = 0.0
    order: list[str] = []

    def clock() -> float:
        return now

    def work(name: str, seconds: float) -> None:
        nonlocal now
        order.append(name)
        now += seconds

    runs = {"a": lambda: work("a", 2.0), "b": lambda: work("b", 3.0)}
    times = interleaved(runs, 4, 0.0, clock)
    assert order == ["a", "a", "b", "b", *"abababab"]
    np.testing.assert_array_equal(times["a"], [2.0] * 4)
    np.testing.assert_array_equal(times["b"], [3.0] * 4)


def test_a_busy_machine_leaves_the_ratio_alone() -> None:
    rng = np.random.default_rng(0)
    load = rng.uniform(1, 5, 40)  # the same for both, round by round
    found = ratio(3.0 * load, 2.0 * load)
    assert (found.median, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_a_quickest_call_met_nobody() -> None:
    now = 0.0
    rng = np.random.default_rng(0)

    def work(seconds: float) -> None:
        nonlocal now
        now += seconds * (1.0 if rng.random() < 0.2 else rng.uniform(1, 2))

    runs = {"a": lambda: work(2.0), "b": lambda: work(3.0)}
    found = quickest(runs, 0.05, 0.002, lambda: now)
    assert found == pytest.approx({"a": 2.0, "b": 3.0})


def test_calls_that_outlast_a_session_have_one_turn() -> None:
    calls = {"a": 0, "b": 0}

    def call(name: str) -> None:
        calls[name] += 1

    runs = {name: partial(call, name) for name in calls}
    found = quickest(runs, 0.0, 0.0, iter(range(100)).__next__)
    assert found == {"a": 1.0, "b": 1.0}
    assert calls == {"a": 3, "b": 3}  # two to warm up


def test_unlucky_sessions_move_a_change_little() -> None:
    rng = np.random.default_rng(0)

    def run(ratio: float) -> np.ndarray:
        unlucky = np.where(rng.random(16) < 0.3, rng.uniform(1, 1.25, 16), 1.0)
        return ratio * unlucky * rng.lognormal(0, 0.01, 16)

    found = [change(run(1.1), run(1.0)) for _ in range(200)]
    off = np.array([one.median / 1.1 - 1 for one in found])
    assert np.abs(off).mean() < 0.02
    covered = np.mean([one.low <= 1.1 <= one.high for one in found])
    assert covered > 0.9
