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


def test_a_change_is_found_under_any_load() -> None:
    """Others only ever add time, now to one, now to the other: quick rounds tell."""
    rng = np.random.default_rng(0)

    def run(seconds: float, load: float) -> np.ndarray:
        met = rng.random(50) < load
        return seconds * np.where(met, rng.uniform(1, 1.5, 50), 1.0) * rng.lognormal(0, 0.005, 50)

    off = []
    for _ in range(100):
        then, now = (run(1.0, 0.1), run(2.0, 0.1)), (run(1.1, 0.8), run(2.0, 0.7))
        off.append(change(now, then).median / 1.1 - 1)
    assert np.abs(off).mean() < 0.01
    assert np.abs(off).max() < 0.04
