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


def checks(
    current: Answers, baseline: Answers | None = None, *, same_graph: bool = False
) -> dict[str, Check]:
    compared = answer_checks(current, baseline or answers(), Budgets(), same_graph=same_graph)
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


def first(count: int, whole: Answers) -> Answers:
    """The same answers to the first puzzles only."""
    return replace(
        whole,
        right_fixed=whole.right_fixed[:count],
        right_adaptive=whole.right_adaptive[:count],
        steps=whole.steps[:count],
        error=whole.error[: min(count, 64)],
    )


@pytest.mark.parametrize(
    ("lost", "gained", "verdict"),
    [(2, 0, "ok"), (3, 0, "inconclusive"), (9, 6, "inconclusive"), (4, 4, "ok")],
)
def test_a_loss_beyond_the_budget_by_chance_is_inconclusive(
    lost: int, gained: int, verdict: str
) -> None:
    check = checks(flipped(lost, gained))["exact_match.fixed"]
    assert check.verdict == verdict
    assert check.reason is not None
    assert ("puzzles would do" in check.reason) == (verdict == "inconclusive")


def test_64_puzzles_cannot_show_half_a_point() -> None:
    before = first(64, answers())
    after = replace(before, error=before.error * 1.01)
    check = checks(after, before)["exact_match.fixed"]
    assert check.verdict == "inconclusive"
    assert check.reason == (
        "64 puzzles cannot show a drop of 0.5 points, about 1,000 puzzles would do"
    )
    assert checks(before, before)["exact_match.fixed"].verdict == "ok"  # nothing changed at all
    assert checks(after, before, same_graph=True)["exact_match.fixed"].verdict == "ok"
    lost = replace(before, right_fixed=before.right_fixed & (np.arange(64) >= 12))
    assert red(checks(lost, before)) == ["exact_match.fixed"]


def test_the_same_graph_is_red_only_beyond_99_9_percent() -> None:
    """Another CPU rounds otherwise; a machine that computes something else is still found."""
    assert red(checks(flipped(8, 0))) == ["exact_match.fixed"]
    check = checks(flipped(8, 0), same_graph=True)["exact_match.fixed"]
    assert check.verdict == "inconclusive"
    assert check.change is not None
    assert check.change.level == 0.999
    assert red(checks(flipped(20, 2), same_graph=True)) == ["exact_match.fixed"]
    # Worse by more than the budget, but within the 95 % interval: rounding.
    assert checks(flipped(9, 6))["exact_match.fixed"].verdict == "inconclusive"
    assert checks(flipped(9, 6), same_graph=True)["exact_match.fixed"].verdict == "ok"


def test_steps_and_carries_of_the_same_graph_are_judged_alike() -> None:
    before = first(64, answers())
    steps = before.steps.copy()
    steps[np.argsort(steps, kind="stable")[:5]] = 16  # five puzzles never halt any more
    noisy = replace(before, steps=steps)
    assert checks(noisy, before)["halting.steps"].verdict == "regressed"
    check = checks(noisy, before, same_graph=True)["halting.steps"]
    assert check.verdict == "inconclusive"
    assert check.reason is not None
    later = changed(steps=np.minimum(answers().steps + 3, 16))
    assert red(checks(later, same_graph=True)) == ["halting.same_step", "halting.steps"]
    further = changed(error=answers().error * 1.6)
    assert red(checks(further, same_graph=True)) == ["carry.error"]


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
    assert checks(changed(steps=steps))["halting.same_step"].verdict == "inconclusive"
    check = checks(changed(steps=steps))["halting.same_step"]
    assert check.change is not None
    assert check.change.value == pytest.approx(-60 / PUZZLES)
    assert check.budget == -0.1
    steps[:100] = 17 - answers().steps[:100]
    assert red(checks(changed(steps=steps))) == ["halting.same_step"]


def test_steps_that_move_but_agree_with_float32_as_often_are_not_red() -> None:
    """A fifth of the puzzles halts elsewhere; as many come to agree with float32 as cease to."""
    float32 = answers().steps
    before = float32.copy()
    before[:50] = 17 - before[:50]
    now = float32.copy()
    now[50:100] = 17 - now[50:100]
    baseline = changed(steps=before)
    check = checks(changed(steps=now, float32_steps=float32), baseline)["halting.same_step"]
    assert check.verdict == "ok"
    assert check.reason == "Where float32 halts: 90.2 % before, 90.2 % now"
    # All of them away from float32: a head that decides otherwise.
    now = before.copy()
    now[50:150] = 17 - now[50:150]
    check = checks(changed(steps=now, float32_steps=float32), baseline)["halting.same_step"]
    assert check.verdict == "regressed"
    assert check.reason == "Where float32 halts: 90.2 % before, 70.7 % now"
    # Without float32's steps only the move itself is known.
    assert red(checks(changed(steps=now), baseline)) == ["halting.same_step"]


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
