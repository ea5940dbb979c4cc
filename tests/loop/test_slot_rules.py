"""Halting rules of single puzzles in slots that they share with others."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_edge.errors import ConfigError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.slot_rules import SlotRules, check_rule

DEFAULT = HaltingRule("adaptive", compares_continue=False, max_steps=8)
FIXED = HaltingRule("fixed", compares_continue=False, max_steps=3)
STRICT = HaltingRule("adaptive", compares_continue=False, max_steps=8, threshold=5.0)
NONE: NDArray[np.int32] = np.zeros(4, np.int32)


def halted(rules: SlotRules, steps: int, q_halt: list[float]) -> list[bool]:
    q = np.array(q_halt, np.float32)
    at = np.full(len(q), steps, np.int32)
    done: list[bool] = rules.halted(at, q, np.zeros_like(q), NONE[: len(q)]).tolist()
    return done


def test_every_slot_follows_its_own_rule() -> None:
    rules = SlotRules(DEFAULT)
    rules.load(1, FIXED)
    rules.load(2, STRICT)
    rules.load(3, DEFAULT)
    assert halted(rules, 1, [2, 2, 2, -2]) == [True, False, False, False]
    assert halted(rules, 1, [2, 9, 9, 2]) == [True, False, True, True]
    assert halted(rules, 3, [-2, -2, -2, -2]) == [False, True, False, False]
    assert halted(rules, 8, [-2, -2, -2, -2]) == [True] * 4


def test_a_slot_forgets_the_rule_of_the_puzzle_before() -> None:
    rules = SlotRules(DEFAULT)
    rules.load(0, FIXED)
    rules.load(0, None)
    assert halted(rules, 1, [2]) == [True]


def test_rules_move_with_their_slots() -> None:
    rules = SlotRules(DEFAULT)
    rules.load(0, FIXED)
    rules.load(2, STRICT)
    rules.keep(np.array([2, 1, 2, 0]))
    assert halted(rules, 1, [2, 2, 2, 2]) == [False, True, False, False]
    assert halted(rules, 3, [2, 2, 2, 2]) == [False, True, False, True]


def test_a_limit_alone_is_no_reason() -> None:
    rules = SlotRules(DEFAULT)
    rules.load(1, STRICT)
    rules.load(2, FIXED)
    q = np.array([2, 2, 2], np.float32)
    assert rules.held(q, np.zeros_like(q), NONE[:3]).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (HaltingRule("fixed", False, 9), "at most that of the solver, 8, but got 9"),
        (HaltingRule("fixed", False, 8, unchanged=2), "after 2 unchanged predictions"),
    ],
)
def test_rules_that_the_slots_have_no_room_for(rule: HaltingRule, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_rule(rule, DEFAULT)
    with pytest.raises(ConfigError, match=sentence):
        SlotRules(DEFAULT).load(0, rule)
