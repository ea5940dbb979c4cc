"""Changes of answers that regress and changes that do not, on invented answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.regression.measurements import PUZZLES, answers, red
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.answers import Answers
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECK_IDS, Check


def checks(current: Answers, baseline: Answers | None = None) -> dict[str, Check]:
    compared = answer_checks(current, baseline or answers(), Budgets())
    by_id = {check.id: check for check in compared}
    assert set(by_id) <= set(CHECK_IDS)
    return by_id


def changed(**change: Any) -> Answers:
    return replace(answers(), **change)


def flipped(lost: int, gained: int, mode: str = "right_fixed") -> Answers:
    right = getattr(answers(), mode).copy()
    solved = np.flatnonzero(right)
    failed = np.flatnonzero(~right)
    right[solved[:lost]] = False
    right[failed[:gained]] = True
    return changed(**{mode: right})


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(answers()).values()} == {"ok"}


@pytest.mark.parametrize(
    ("lost", "gained", "worse"),
    [(1, 0, False), (3, 0, False), (6, 5, False), (8, 0, True), (25, 5, True), (0, 9, False)],
)
def test_flips_count_and_noise_does_not(lost: int, gained: int, worse: bool) -> None:
    current = flipped(lost, gained)
    assert red(checks(current)) == (["exact_match.fixed"] if worse else [])
    check = checks(current)["exact_match.fixed"]
    assert check.reason is not None
    assert f"{lost} lost, {gained} gained of {PUZZLES}" in check.reason
    assert (check.verdict == "better") == (gained - lost >= 9)


def test_exact_match_is_a_share_with_an_interval_and_a_signed_budget() -> None:
    check = checks(flipped(8, 0))["exact_match.fixed"]
    assert check.unit == "share"
    assert check.before is not None
    assert check.now == pytest.approx(check.before - 8 / PUZZLES)
    assert check.change is not None
    assert check.change.value == pytest.approx(-8 / PUZZLES)
    assert not check.change.relative
    assert check.change.interval is not None
    low, high = check.change.interval
    assert low < check.change.value < high < 0
    assert check.budget == -0.005


def test_without_known_answers_it_is_called_agreement() -> None:
    current = replace(flipped(20, 0), labelled=False)
    compared = checks(current, replace(answers(), labelled=False))
    assert red(compared) == ["agreement.fixed"]
    assert not any(name.startswith("exact_match") for name in compared)


def test_each_mode_by_itself() -> None:
    assert red(checks(flipped(20, 0, "right_adaptive"))) == ["exact_match.adaptive"]


def test_halting_at_another_step() -> None:
    steps = answers().steps.copy()
    steps[:60] = 17 - steps[:60]
    # 88.3 % are the same: less than 0.9, but not certainly less.
    assert red(checks(changed(steps=steps))) == []
    check = checks(changed(steps=steps))["halting.same_step"]
    assert check.change is not None
    assert check.change.value == pytest.approx(-60 / PUZZLES)
    assert check.budget == -0.1
    steps[:100] = 17 - answers().steps[:100]
    assert red(checks(changed(steps=steps))) == ["halting.same_step"]


def test_more_steps() -> None:
    later = np.minimum(answers().steps + 1, 16)
    check = checks(changed(steps=later))["halting.steps"]
    assert check.verdict == "regressed"
    assert check.unit == "steps"
    assert check.before is not None
    assert check.now is not None
    assert check.change is not None
    assert check.change.relative
    assert check.change.value == pytest.approx(check.now / check.before - 1)
    assert check.budget == 0.03


def test_a_carry_further_from_float32() -> None:
    error = answers().error
    rng = np.random.default_rng(0)
    assert red(checks(changed(error=error * rng.lognormal(0, 0.3, len(error))))) == []
    assert red(checks(changed(error=error * 1.6))) == ["carry.error"]
    assert checks(changed(error=error * 0.5))["carry.error"].verdict == "better"
    check = checks(changed(error=error * 1.6))["carry.error"]
    assert check.before is not None
    assert check.now == pytest.approx(1.6 * check.before)
    assert check.change is not None
    assert check.change.value == pytest.approx(0.6)
    exact = changed(error=np.zeros_like(error))
    assert red(checks(exact, exact)) == []


def test_other_puzzles_and_other_labels() -> None:
    assert red(checks(changed(puzzles="e" * 64))) == ["puzzles"]
    compared = checks(changed(labels="e" * 64))
    assert compared["labels"].verdict == "regressed"
    assert compared["labels"].reason is not None
    assert "but their known answers are not" in compared["labels"].reason
    assert "exact_match.fixed" not in compared
