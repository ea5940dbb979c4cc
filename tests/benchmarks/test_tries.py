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
from trm_edge.loop.selection import FirstValid, MostConfident, MostFrequent, Selector
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


@pytest.mark.parametrize("compared", [1, 3])
def test_tries_end_where_a_selector_has_decided(compared: int) -> None:
    tokens = np.random.default_rng(0).integers(1, 11, (4, 81), dtype=np.int32)
    puzzles = scripts.tries().PuzzleSet("four", [Puzzle(row) for row in tokens], tokens)
    decided_early = FirstValid(lambda puzzle, answer: puzzle[0] % 2 == 0)
    recorder = scripts.tries().Recorder(compared, decided_early)
    with Solver(CarryingBackend(), halting=FIXED, batch=3) as solver:
        tries = scripts.tries().Tries.make(solver, EXPLORATION, puzzles, silent, "tries", recorder)
    counts = [len(solutions) for solutions in tries.solutions]
    assert counts == [compared if row[0] % 2 == 0 else 4 for row in tokens]
    assert set(counts) == {compared, 4}
    outcome = tries.outcome(decided_early, 4)
    assert outcome.tries.tolist() == [1 if row[0] % 2 == 0 else 4 for row in tokens]
    with pytest.raises(ValueError, match=f"needs 4 tries, but only {compared} were made"):
        tries.outcome(MostConfident(), 4)


def test_a_row_tells_which_puzzles_were_solved() -> None:
    right = np.array([True, False, True, True, False, False, False, False, True])
    row = scripts.tries().Outcome(right, np.full(9, 3), np.ones(9)).to_row()
    assert row["solved"] == "b080"
    assert row["exact"] == 4 / 9
    assert row["steps"] == 3


def test_single_tries_end_at_a_step() -> None:
    right = np.array([[False, True], [True, False]])
    outcome = scripts.tries().Outcome.at_steps(right, np.array([1, 1]))
    assert outcome.right.tolist() == [True, False]
    assert outcome.steps.tolist() == [2, 2]
    assert outcome.tries.tolist() == [1, 1]
