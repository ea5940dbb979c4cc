"""Selectors: which answer is chosen, and when no further try can change that."""

from __future__ import annotations

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError
from trm_edge.loop.selection import (
    FirstValid,
    MostConfident,
    MostFrequent,
    MostSettled,
    Selector,
    selector_for,
)
from trm_edge.loop.solution import Solution
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

PUZZLE = np.zeros(1, np.uint8)


def solution(answer: int, q: float, changes: list[float] | None = None) -> Solution:
    measured = None if changes is None else np.array(changes, np.float32)
    logits = np.array([0.0, q], np.float32)
    return Solution(0, np.array([answer], np.uint8), 2, True, logits, logits, changes=measured)


def chosen(selector: Selector, *solutions: Solution) -> int:
    return selector.choose(PUZZLE, solutions)


def decided(selector: Selector, remaining: int, *solutions: Solution) -> bool:
    return selector.is_decided(PUZZLE, solutions, remaining)


def test_the_largest_q_wins_and_the_first_of_equals() -> None:
    assert chosen(MostConfident(), solution(1, 1), solution(2, 3), solution(3, 3)) == 1


def test_confidence_ends_the_tries() -> None:
    selector = MostConfident(0.9)
    assert not decided(selector, 5, solution(1, 2.1))
    assert decided(selector, 5, solution(1, 0), solution(1, 2.3))
    assert not decided(MostConfident(), 5, solution(1, 20))


def test_the_mode_wins_over_confidence() -> None:
    tries = [solution(1, 9), solution(2, 1), solution(2, 3), solution(3, 8)]
    assert chosen(MostFrequent(), *tries) == 2  # the more confident of the two that agree


def test_equal_modes_are_told_apart_by_their_mean_q() -> None:
    tries = [solution(1, 9), solution(2, 5), solution(1, -3), solution(2, 4)]
    assert chosen(MostFrequent(), *tries) == 1


def test_the_mode_is_decided_when_no_other_can_catch_up() -> None:
    agreeing = [solution(1, 0), solution(1, 0), solution(2, 0)]
    assert not decided(MostFrequent(), 2, *agreeing)
    assert not decided(MostFrequent(), 1, *agreeing)
    assert decided(MostFrequent(), 0, *agreeing)
    assert decided(MostFrequent(), 2, solution(1, 0), solution(1, 0), solution(1, 0))


def test_the_settled_answer_changed_least_in_the_last_three_steps() -> None:
    restless = solution(1, 9, [np.inf, 0.1, 0.1, 0.4])
    settled = solution(2, 0, [np.inf, 8.0, 0.2, 0.1, 0.1])
    assert chosen(MostSettled(), restless, settled) == 1
    assert chosen(MostSettled(), settled, solution(3, 9, [np.inf])) == 0
    assert not decided(MostSettled(), 1, settled)
    with pytest.raises(ConfigError, match="needs a solver with measure_changes=True"):
        chosen(MostSettled(), solution(1, 0))


def test_a_settled_answer_is_told_from_fewer_steps_than_three() -> None:
    restless = solution(1, 9, [np.inf, 0.4])
    settled = solution(2, 0, [np.inf, 0.1])
    assert chosen(MostSettled(), restless, settled) == 1
    assert chosen(MostSettled(), solution(1, 9, [np.inf]), settled) == 1  # out of time


def test_nan_is_never_preferred() -> None:
    """A graph in float16 can produce it."""
    broken = solution(1, np.nan, [np.inf, np.nan])
    unsure = solution(2, -5, [np.inf, 8.0])
    for selector in (MostConfident(), MostFrequent(), MostSettled()):
        assert chosen(selector, broken, unsure) == 1
        assert chosen(selector, unsure, broken) == 0
    assert chosen(MostFrequent(), broken, unsure, solution(1, -6)) == 2
    assert not decided(MostConfident(0.0001), 1, broken)


def test_the_first_valid_answer_wins_else_the_most_confident() -> None:
    selector = FirstValid(lambda puzzle, answer: bool(answer[0] == 7))
    assert chosen(selector, solution(1, 9), solution(7, -3), solution(7, 2)) == 1
    assert chosen(selector, solution(1, 2), solution(2, 9)) == 1
    assert decided(selector, 5, solution(1, 9), solution(7, -3))
    assert not decided(selector, 5, solution(1, 9))


def test_the_default_asks_the_rule_of_a_task_that_has_one() -> None:
    assert selector_for(SudokuTask(FAKE_CONFIG)).name == "valid"
    assert selector_for(TokenTask(BASE)).name == "q"
    assert selector_for(SudokuTask(FAKE_CONFIG), "settled").needs_changes
    with pytest.raises(ConfigError, match=r"tokens has no rule .* Choose with q, mode or settled"):
        selector_for(TokenTask(BASE), "valid")
    with pytest.raises(ConfigError, match="must be one of q, mode, settled, valid, but got 'best'"):
        selector_for(TokenTask(BASE), "best")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"min_confidence must lie in 0\.\.1, but got 2"):
        selector_for(TokenTask(BASE), "q", min_confidence=2)
