"""What a number of puzzles can show."""

from __future__ import annotations

from math import inf

import pytest

from trm_edge.evaluation.resolution import (
    can_show_drop,
    can_show_share,
    count_text,
    puzzles_for_drop,
    puzzles_for_share,
    puzzles_to_tell,
)
from trm_edge.evaluation.statistics import paired_drop, wilson_interval


@pytest.mark.parametrize("max_drop", [0.1, 0.5, 1.0, 2.0])
def test_the_number_for_a_drop_is_enough_and_a_tenth_less_is_not(max_drop: float) -> None:
    needed = puzzles_for_drop(max_drop)
    assert can_show_drop(round(1.01 * needed), max_drop)
    assert not can_show_drop(round(0.9 * needed), max_drop)


def test_flips_widen_the_interval_so_more_puzzles_are_needed() -> None:
    needed = round(puzzles_for_drop(0.5, flips=64, puzzles=2000))
    flips = round(needed * 64 / 2000)
    low, high = paired_drop(flips // 2, flips - flips // 2, needed)
    assert 100 * (high - low) / 2 == pytest.approx(0.5, rel=0.02)


def test_the_number_for_a_share() -> None:
    needed = puzzles_for_share(0.85)
    assert can_show_share(round(needed) + 1, 0.85)
    assert not can_show_share(round(needed) - 2, 0.85)
    assert puzzles_for_share(1) == inf


def test_the_number_that_tells_a_share_from_a_limit() -> None:
    _, high = wilson_interval(54, 64)
    needed = round(puzzles_to_tell(64, high - 54 / 64, 0.9 - 54 / 64))
    _, high = wilson_interval(round(needed * 54 / 64), needed)
    assert high == pytest.approx(0.9, abs=0.01)
    assert puzzles_to_tell(64, 0.1, 0) == inf


def test_counts_in_words() -> None:
    assert count_text(0.2) == "about 10 puzzles would do"
    assert count_text(1001) == "about 1,100 puzzles would do"
    assert count_text(1e9) == count_text(inf) == "no number of puzzles would do"
