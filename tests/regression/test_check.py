from __future__ import annotations

import pytest

from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.check import (
    CHECK_IDS,
    STRICT,
    Change,
    Check,
    exact_ratio,
    inconclusive,
    not_compared,
    percent,
    points,
    regressed,
    relative_check,
    verdict_of,
)


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio(1.0, 0.98, 1.02), "ok"),
        (Ratio(1.06, 0.99, 1.12), "inconclusive"),  # beyond the budget, but not certainly slower
        (Ratio(1.04, 1.02, 1.06), "ok"),  # certainly slower, but within the budget
        (Ratio(1.06, 1.01, 1.12), "regressed"),
        (Ratio(0.94, 0.9, 0.98), "better"),
        (Ratio(0.94, 0.9, 1.01), "ok"),
    ],
)
def test_verdict_needs_the_budget_and_the_interval(ratio: Ratio, verdict: str) -> None:
    assert verdict_of(ratio, 5) == verdict


def test_a_relative_check_holds_numbers() -> None:
    check = relative_check(
        "memory.peak", exact_ratio(12e6, 10e6), 15, unit="bytes", before=10e6, now=12e6
    )
    assert check.verdict == "regressed"
    assert check.change is not None
    assert check.change.value == pytest.approx(0.2)
    assert check.change.interval is None
    assert check.change.relative
    assert check.budget == 0.15


def test_percent_has_no_negative_zero() -> None:
    assert percent(Change(-0.0001, (-0.0002, 0.01), relative=True)) == "+0.0 %, 95 % +0.0 to +1.0"
    assert percent(Change(-0.02, relative=True)) == "-2.0 %"


def test_rounding_never_hides_the_verdict() -> None:
    """A change beyond its budget reads so, and an interval that leaves out 0 does, too."""
    size = Change.of_ratio(exact_ratio(1.01004, 1.0))
    assert percent(size, budget=0.01) == "+1.004 %"
    assert percent(Change(0.06, (0.0002, 0.12), relative=True), budget=0.05) == (
        "+6.00 %, 95 % +0.02 to +12.00"
    )
    assert points(Change(-0.00502, (-0.009, -0.00001)), budget=-0.005) == (
        "-0.502 points, 95 % -0.900 to -0.001"
    )
    assert percent(Change(0.01, relative=True), budget=0.01) == "+1.0 %"


def test_an_interval_says_how_sure_it_is() -> None:
    change = Change.of_ratio(Ratio(1.1, 0.9, 1.3), STRICT.level)
    assert percent(change) == "+10.0 %, 99.9 % -10.0 to +30.0"


def test_only_regressed_checks_fail_a_run() -> None:
    bad = Check(id="limits.float32", verdict="regressed")
    open_question = Check(id="exact_match.fixed", verdict="inconclusive")
    checks = [not_compared("speed", "no times"), bad, open_question]
    assert regressed(checks) == [bad]
    assert inconclusive(checks) == [open_question]


def test_a_noisy_growth_says_why_there_is_no_verdict() -> None:
    check = relative_check(
        "halting.steps", Ratio(1.06, 0.99, 1.12), 3, unit="steps", before=5.0, now=5.3
    )
    assert check.verdict == "inconclusive"
    assert check.reason is not None
    assert "its interval holds no change" in check.reason


def test_identifiers_are_stable_words() -> None:
    assert len(set(CHECK_IDS)) == len(CHECK_IDS)
    for check_id in CHECK_IDS:
        assert check_id.replace(".", "").replace("_", "").isalnum()
        assert check_id == check_id.lower()
