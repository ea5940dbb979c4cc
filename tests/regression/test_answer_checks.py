"""Which answers go red and which do not, on answers that are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.regression.measurements import PUZZLES, answers, red
from trm_edge.regression.answer_checks import answer_checks
from trm_edge.regression.baseline import Answers
from trm_edge.regression.budgets import Budgets
from trm_edge.regression.check import CHECKS, Check


def checks(now: Answers, then: Answers | None = None) -> dict[str, Check]:
    found = {check.name: check for check in answer_checks(now, then or answers(), Budgets())}
    assert set(found) <= set(CHECKS)
    return found


def changed(**change: Any) -> Answers:
    return replace(answers(), **change)


def flipped(lost: int, gained: int, mode: str = "right_fixed") -> Answers:
    right = getattr(answers(), mode).copy()
    solved, failed = np.flatnonzero(right), np.flatnonzero(~right)
    right[solved[:lost]], right[failed[:gained]] = False, True
    return changed(**{mode: right})


def test_the_same_is_not_red() -> None:
    assert {check.verdict for check in checks(answers()).values()} == {"ok"}


@pytest.mark.parametrize(
    ("lost", "gained", "worse"),
    [(1, 0, False), (3, 0, False), (6, 5, False), (8, 0, True), (25, 5, True), (0, 9, False)],
)
def test_flips_count_and_noise_does_not(lost: int, gained: int, worse: bool) -> None:
    now = flipped(lost, gained)
    assert red(checks(now)) == (["exact match, fixed"] if worse else [])
    check = checks(now)["exact match, fixed"]
    assert f"{lost} lost, {gained} gained of {PUZZLES}" in check.why
    assert (check.verdict == "better") == (gained - lost >= 9)


def test_each_mode_by_itself() -> None:
    assert red(checks(flipped(20, 0, "right_adaptive"))) == ["exact match, adaptive"]


def test_other_halting_steps() -> None:
    steps = answers().steps.copy()
    steps[:60] = 17 - steps[:60]
    # 88.3 % are the same: less than 0.9, but not surely less.
    assert red(checks(changed(steps=steps))) == []
    assert checks(changed(steps=steps))["same halting step"].change.startswith("-11.7 points, 95")
    steps[:100] = 17 - answers().steps[:100]
    assert red(checks(changed(steps=steps))) == ["same halting step"]
    later = np.minimum(answers().steps + 1, 16)
    found = checks(changed(steps=later))
    assert found["ACT steps"].verdict == "regressed"
    assert "% more" not in found["ACT steps"].line
    assert "allowed +3 %" in found["ACT steps"].line


def test_a_carry_further_from_float32() -> None:
    error = answers().error
    rng = np.random.default_rng(0)
    assert red(checks(changed(error=error * rng.lognormal(0, 0.3, len(error))))) == []
    assert red(checks(changed(error=error * 1.6))) == ["error of the carry"]
    assert checks(changed(error=error * 0.5))["error of the carry"].verdict == "better"
    exact = changed(error=np.zeros_like(error))
    assert red(checks(exact, exact)) == []


def test_other_puzzles_and_other_labels() -> None:
    assert red(checks(changed(puzzles="e" * 64))) == ["puzzles"]
    found = checks(changed(labels="e" * 64))
    assert found["labels"].verdict == "regressed"
    assert "their known answers are not" in found["labels"].why
    assert "exact match, fixed" not in found
