"""The statistics of times, on times that are made up: no test here measures any."""

from __future__ import annotations

import numpy as np
import pytest

from trm_edge.evaluation.timing import change, interleaved, ratio


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


def test_a_change_has_an_interval_that_holds_it() -> None:
    """Of 200 pairs of runs, about 95 % of the intervals hold the truth."""
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        then, now = (median * rng.lognormal(0, 0.03, 25) for median in (1.0, 1.1))
        found = change(now, then)
        hits += found.low <= 1.1 <= found.high
    assert 0.9 <= hits / 200 <= 1.0
