"""Halting rules that are applied to recorded steps give what a run with the rule would."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import scripts
from tests.loop.carrying import CarryingBackend
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident
from trm_edge.loop.solver import Solver
from trm_edge.progress import silent
from trm_edge.puzzle import Puzzle

FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed")
EXPLORATION = Exploration(4, noise=3.0)


@pytest.mark.parametrize(
    "rule",
    [
        FIXED,
        HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=2),
        HaltingRule.from_config(FAKE_CONFIG),
        HaltingRule.from_config(FAKE_CONFIG, "fixed", unchanged=1),
    ],
)
@pytest.mark.parametrize("min_confidence", [0.5, 1.0])
def test_a_rule_gives_what_its_own_run_would(rule: HaltingRule, min_confidence: float) -> None:
    tokens = np.random.default_rng(0).integers(1, 11, (5, 81), dtype=np.int32)
    answers = tokens.copy()
    answers[3:, 0] = 0  # the fake answers with the puzzle
    puzzles = scripts.library("tries").PuzzleSet("five", [Puzzle(row) for row in tokens], answers)
    make = scripts.library("tries").Tries.make
    with Solver(CarryingBackend(), halting=FIXED, batch=3, trace=True) as solver:
        tries = make(solver, EXPLORATION, puzzles, silent, "tries")
    attempts = scripts.library("attempts").Attempts.of(tries)
    selector = MostConfident(min_confidence)
    with Solver(CarryingBackend(), halting=rule, batch=3) as solver:
        expected = list(Rollouts(solver, EXPLORATION, selector).solve(puzzles.puzzles))
    row = attempts.best(rule, 4, min_confidence)
    assert row["exact"] == 0.6
    assert row["steps"] == np.mean([solution.steps for solution in expected])
    assert row["tries"] == np.mean([solution.tries for solution in expected])
