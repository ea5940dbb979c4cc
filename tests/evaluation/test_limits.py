"""Verdicts on limits: chance alone breaks none, and a real loss is found."""

from __future__ import annotations

import pytest

from trm_edge.evaluation.limits import judge_agreement, judge_drop


def test_one_puzzle_of_64_breaks_no_limit() -> None:
    judged = judge_agreement(54, 64, 0.85)
    assert judged.verdict == "inconclusive"
    assert judged.message == (
        "84.4 % of the puzzles stop at the same step (95 % 73.6 to 91.3), limit 85.0 %: "
        "64 puzzles cannot tell it from the limit, about 7,900 puzzles would do"
    )
    assert judge_agreement(55, 64, 0.85).verdict == "pass"
    assert judge_drop("fixed", 1, 0, 64, 0.5).verdict == "inconclusive"


@pytest.mark.parametrize(("same", "puzzles"), [(44, 64), (400, 512), (1660, 2000)])
def test_a_share_whose_whole_interval_is_below_the_limit_breaks_it(same: int, puzzles: int) -> None:
    judged = judge_agreement(same, puzzles, 0.85)
    assert judged.verdict == "fail"
    assert judged.interval[1] < 0.85
    assert "would do" not in judged.message


@pytest.mark.parametrize(
    ("lost", "gained", "puzzles", "verdict"),
    [
        (0, 0, 64, "inconclusive"),  # too few, whatever they answer
        (0, 0, 512, "pass"),
        (8, 8, 512, "pass"),
        (4, 0, 512, "inconclusive"),  # 0.78 points, by chance
        (28, 8, 512, "fail"),
        (31, 33, 2000, "pass"),
        (40, 12, 2000, "fail"),
    ],
)
def test_a_drop(lost: int, gained: int, puzzles: int, verdict: str) -> None:
    judged = judge_drop("adaptive", lost, gained, puzzles, 0.5)
    assert judged.verdict == verdict
    assert (judged.interval[0] > 0.5) == (verdict == "fail")
    assert judged.value == pytest.approx(100 * (lost - gained) / puzzles)


def test_a_message_says_how_many_puzzles_would_do() -> None:
    assert judge_drop("fixed", 0, 0, 64, 0.5).message == (
        "fixed: 0.00 points of exact match lost (95 % -2.97 to +2.97), limit 0.50: 64 puzzles "
        "cannot show that little, about 390 puzzles would do"
    )
    assert judge_drop("fixed", 0, 0, 390, 0.5).verdict == "pass"
    assert "no number of puzzles would do" in judge_drop("fixed", 0, 0, 64, 0.0).message
    assert "no number of puzzles would do" in judge_agreement(64, 64, 1.0).message


def test_a_limit_below_the_floor_is_judged_as_the_floor() -> None:
    """Float arithmetic alone moves so many halting steps that the limit cannot be kept."""
    assert judge_agreement(410, 512, 0.85).verdict == "fail"
    judged = judge_agreement(410, 512, 0.85, floor=0.79)
    assert judged.verdict == "pass"
    assert judged.message.endswith("limit 85.0 %, floor of float arithmetic 79.00")
    assert judge_agreement(410, 512, 0.85, floor=0.97).verdict == "fail"
    assert judge_drop("fixed", 28, 8, 512, 0.5).verdict == "fail"
    assert judge_drop("fixed", 28, 8, 512, 0.5, floor=2.0).verdict == "inconclusive"
    assert judge_drop("fixed", 28, 8, 512, 0.5, floor=0.0).verdict == "fail"


def test_one_counterexample_disproves_all() -> None:
    assert judge_agreement(63, 64, 1.0).verdict == "fail"


def test_a_limit_and_a_figure_beyond_it_never_read_the_same() -> None:
    judged = judge_agreement(16992, 20000, 0.85)
    assert "84.96 % of the puzzles" in judged.message
    assert "limit 85.00 %" in judged.message
    judged = judge_drop("fixed", 1004, 0, 200_000, 0.5)
    assert judged.message.startswith("fixed: 0.502 points")
