from __future__ import annotations

import pytest

from trm_edge.evaluation.timing import Ratio
from trm_edge.regression.check import (
    CHECK_IDS,
    Change,
    Check,
    exact_ratio,
    not_compared,
    percent,
    regressed,
    relative_check,
    verdict_of,
)


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio(1.0, 0.98, 1.02), "ok"),
        (Ratio(1.06, 0.99, 1.12), "ok"),  # more than the budget, but not certainly slower
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


def test_only_regressed_checks_fail_a_run() -> None:
    bad = Check(id="limits.float32", verdict="regressed")
    assert regressed([not_compared("speed", "no times"), bad]) == [bad]


def test_identifiers_are_stable_words() -> None:
    assert len(set(CHECK_IDS)) == len(CHECK_IDS)
    for check_id in CHECK_IDS:
        assert check_id.replace(".", "").replace("_", "").isalnum()
        assert check_id == check_id.lower()
