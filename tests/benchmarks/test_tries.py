"""Tries that are recorded once give each selector what it would choose in a run of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import scripts
from tests.loop.carrying import CarryingBackend
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident, MostFrequent, Selector
from trm_edge.loop.solver import Solver
from trm_edge.progress import silent
from trm_edge.puzzle import Puzzle

FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=2)
EXPLORATION = Exploration(4, noise=3.0)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("selector", [MostConfident(), MostConfident(0.9), MostFrequent()])
def test_a_selector_chooses_what_rollouts_would(selector: Selector, count: int) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 11, (5, 81), dtype=np.int32)
    answers = tokens.copy()
    answers[2:, 0] = 0  # the fake answers with the puzzle
    puzzles = scripts.tries().PuzzleSet("five", [Puzzle(row) for row in tokens], answers)
    with Solver(CarryingBackend(), halting=FIXED, batch=3) as solver:
        tries = scripts.tries().Tries.make(solver, EXPLORATION, puzzles, silent, "tries")
        exploration = Exploration(count, noise=3.0)
        expected = list(
            Rollouts(solver, exploration, selector).solve(puzzles.puzzles, ordered=True)
        )
    outcome = tries.outcome(selector, count)
    assert outcome.tries.tolist() == [solution.tries for solution in expected]
    assert outcome.steps.tolist() == [solution.steps for solution in expected]
    assert outcome.right.tolist() == [True, True, False, False, False]
    assert outcome.to_dict()["exact"] == 0.4
    assert tries.any_right(count) == 0.4
