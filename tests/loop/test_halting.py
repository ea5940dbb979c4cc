"""The halting rule: both published rules, limits, thresholds and unchanged predictions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.toys import BASE, VARIANTS
from trm_edge.errors import ConfigError
from trm_edge.loop.halting import HaltingRule, confidence, steps_unchanged

Q_HALT = np.array([-1.0, 0.0, 0.5, 2.0], np.float32)
Q_CONTINUE = np.array([-2.0, 1.0, 1.0, 1.0], np.float32)
STEPS = np.array([1, 1, 1, 1], np.int32)


def test_published_rules() -> None:
    alone = HaltingRule.from_config(BASE)
    np.testing.assert_array_equal(
        alone.halted(STEPS, Q_HALT, Q_CONTINUE), [False, False, True, True]
    )
    against = HaltingRule.from_config(VARIANTS["q-continue"])
    np.testing.assert_array_equal(
        against.halted(STEPS, Q_HALT, Q_CONTINUE), [True, False, False, True]
    )


def test_fixed_ignores_the_head() -> None:
    rule = HaltingRule.from_config(BASE, "fixed")
    assert not rule.halted(STEPS * 3, Q_HALT, Q_CONTINUE).any()
    assert rule.halted(STEPS * 4, Q_HALT, Q_CONTINUE).all()


def test_least_and_most_steps() -> None:
    rule = HaltingRule.from_config(BASE, max_steps=3, min_steps=2)
    np.testing.assert_array_equal(
        rule.halted(np.array([1, 2, 2, 3], np.int32), Q_HALT + 1, Q_CONTINUE),
        [False, True, True, True],
    )


def test_describes_itself() -> None:
    assert str(HaltingRule.from_config(BASE)) == "adaptive, q_halt > 0, at most 4 steps"
    assert str(HaltingRule.from_config(BASE, "fixed")) == "fixed, 4 steps"
    rule = HaltingRule("adaptive", True, 9, 2)
    assert str(rule) == "adaptive, q_halt > q_continue, at least 2, at most 9 steps"


def test_a_threshold_moves_both_published_rules() -> None:
    rule = HaltingRule.from_config(BASE, threshold=1.0)
    np.testing.assert_array_equal(rule.halted(STEPS, Q_HALT, Q_CONTINUE), [False] * 3 + [True])
    assert str(rule) == "adaptive, q_halt > 1, at most 4 steps"
    rule = HaltingRule.from_config(VARIANTS["q-continue"], threshold=-1.0)
    np.testing.assert_array_equal(rule.halted(STEPS, Q_HALT, Q_CONTINUE), [True, False, True, True])
    assert str(rule) == "adaptive, q_halt > q_continue - 1, at most 4 steps"


def test_rules_that_stop_at_different_steps_have_different_texts() -> None:
    """Runs that go on are told apart by them."""
    rules = [
        HaltingRule("fixed", False, 16, 1, 0.0, 2),
        HaltingRule("fixed", False, 16, 4, 0.0, 2),
        HaltingRule("fixed", False, 16),
        HaltingRule("fixed", False, 8),
        HaltingRule("adaptive", False, 16),
        HaltingRule("adaptive", True, 16),
        *(HaltingRule("adaptive", False, 16, 1, each) for each in (1.2345678, 1.2345679, -1e-7)),
        *(HaltingRule("adaptive", True, 16, 1, each) for each in (1.2345678, 1.2345679, -1e-7)),
        HaltingRule("adaptive", False, 16, 2),
        HaltingRule("adaptive", False, 16, 2, 0.0, 3),
    ]
    assert len({str(rule) for rule in rules}) == len(rules)
    assert str(rules[1]) == "fixed or unchanged for 2, at least 4, at most 16 steps"
    assert str(rules[6]) == "adaptive, q_halt > 1.2345678, at most 16 steps"


def test_nan_is_no_confidence() -> None:
    assert confidence(np.array([np.nan, 0.0])).tolist() == [0.0, 0.5]


def test_stops_where_the_prediction_stands() -> None:
    rule = HaltingRule.from_config(BASE, "fixed", unchanged=2)
    same = np.array([0, 1, 2, 3], np.int32)
    np.testing.assert_array_equal(
        rule.halted(STEPS, Q_HALT, Q_CONTINUE, same), [False, False, True, True]
    )
    assert str(rule) == "fixed or unchanged for 2, at most 4 steps"
    both = HaltingRule.from_config(BASE, unchanged=3)
    np.testing.assert_array_equal(
        both.halted(STEPS, -abs(Q_HALT), Q_CONTINUE, same), [False, False, False, True]
    )
    with pytest.raises(ConfigError, match="needs unchanged_steps"):
        rule.halted(STEPS, Q_HALT, Q_CONTINUE)


def test_steps_unchanged() -> None:
    predictions = np.array([[1, 1, 2, 2, 2, 1], [3, 3, 3, 3, 3, 3]], np.uint8)[:, :, None]
    np.testing.assert_array_equal(
        steps_unchanged(predictions), [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 4, 5]]
    )


@pytest.mark.parametrize("wrong", [{"threshold": float("nan")}, {"unchanged": -1}])
def test_no_such_rule(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"finite, but got nan|0 steps or more, but got -1"):
        HaltingRule.from_config(BASE, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("low", "high"), [(0, 4), (5, 4), (1, 0)])
def test_limits_out_of_order(low: int, high: int) -> None:
    with pytest.raises(ConfigError, match="1 <= min_steps <= max_steps"):
        HaltingRule.from_config(BASE, max_steps=high, min_steps=low)


def test_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="adaptive, fixed, but got 'sometimes'"):
        HaltingRule("sometimes", False, 4)  # type: ignore[arg-type]


def test_confidence_keeps_the_shape_and_never_warns() -> None:
    q_halt = np.array([[0.0, 3.0e38], [-3.0e38, 1.0]], np.float32)
    expected = [[0.5, 1.0], [0.0, 1 / (1 + np.exp(-1.0))]]
    np.testing.assert_array_equal(confidence(q_halt), expected)
    assert confidence(q_halt).dtype == np.float64
    assert float(confidence(q_halt[0, 0])) == 0.5
