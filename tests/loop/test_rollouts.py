"""Rollouts: the most confident of several attempts, and no more attempts than needed."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.sudoku import SudokuTask

AUGMENTATIONS = SudokuTask(FAKE_CONFIG).augmentations(4)
FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=2)


class ConfidentByFirstCell(FakeBackend):
    """Takes its confidence from the first cell, which differs from augmentation to augmentation."""

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        super().step(tokens, puzzle_embedding, reset)
        q = tokens[:, 0].astype(np.float32) - 5
        return HaltingLogits(q, np.zeros_like(q))


def puzzles(count: int) -> list[Puzzle]:
    rng = np.random.default_rng(1)
    return [Puzzle(rng.integers(1, 11, 81, dtype=np.int32)) for _ in range(count)]


def logits(puzzle: Puzzle) -> list[int]:
    """q_halt of every augmentation of a puzzle."""
    return [int(each.apply(puzzle.tokens)[0]) - 5 for each in AUGMENTATIONS]


def test_the_most_confident_attempt_answers() -> None:
    stream = puzzles(40)
    with Solver(ConfidentByFirstCell(), halting=FIXED, batch=8) as solver:
        solutions = list(Rollouts(solver, AUGMENTATIONS).solve(stream, ordered=True))
    assert [solution.index for solution in solutions] == list(range(40))
    for puzzle, solution in zip(stream, solutions, strict=True):
        assert solution.q_halt[-1] == max(logits(puzzle))
        assert solution.steps == 2 * len(AUGMENTATIONS)
        # The fake echoes its puzzle, so the augmentation was inverted.
        np.testing.assert_array_equal(solution.answer, puzzle.tokens)


def test_no_further_attempt_once_confident() -> None:
    stream = puzzles(40)
    with Solver(ConfidentByFirstCell(), halting=FIXED, batch=8, trace=True) as solver:
        rollouts = Rollouts(solver, AUGMENTATIONS, min_confidence=0.9)
        solutions = {solution.index: solution for solution in rollouts.solve(stream)}
    assert len(solutions) == 40
    attempts_seen = set()
    for index, puzzle in enumerate(stream):
        confident = [logit >= np.log(9) for logit in logits(puzzle)]
        attempts = len(AUGMENTATIONS)
        if any(confident):
            attempts = 1 + confident.index(True)
        attempts_seen.add(attempts)
        assert solutions[index].steps == 2 * attempts
        trajectory = solutions[index].trajectory
        assert trajectory is not None
        np.testing.assert_array_equal(trajectory[-1], solutions[index].answer)
    assert attempts_seen == {1, 2, 3, 4}


def test_constant_memory_in_order() -> None:
    repeated = itertools.cycle(puzzles(16))
    with Solver(ConfidentByFirstCell(), halting=FIXED, batch=32) as solver:
        stream = Rollouts(solver, AUGMENTATIONS, min_confidence=0.9).solve(
            itertools.islice(repeated, 6000), ordered=True
        )
        for _ in itertools.islice(stream, 1000):
            pass
        tracemalloc.start()
        count = sum(1 for _ in stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 5000
    assert peak < 1_000_000


def test_misuse_and_puzzles_that_do_not_fit() -> None:
    with Solver(FakeBackend()) as solver:
        with pytest.raises(ConfigError, match="need at least one augmentation, but got none"):
            Rollouts(solver, [])
        with pytest.raises(ConfigError, match=r"min_confidence must lie in 0\.\.1, but got 2"):
            Rollouts(solver, AUGMENTATIONS, min_confidence=2)
        wrong = [*puzzles(3), Puzzle(np.full(81, 11, np.int32))]
        with pytest.raises(PuzzleError, match=r"puzzle 3: token ids must lie in 0\.\.10"):
            list(Rollouts(solver, AUGMENTATIONS).solve(wrong))
