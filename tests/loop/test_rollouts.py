"""Rollouts: the most confident of several attempts, and no more attempts than needed."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.loop.carrying import CarryingBackend
from tests.loop.clocks import FakeClock, SlowBackend
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import MostConfident, MostFrequent, MostSettled, Selector
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.sudoku import SudokuTask

AUGMENTATIONS = SudokuTask(FAKE_CONFIG).augmentations(4)
EXPLORATION = Exploration(4, AUGMENTATIONS)
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
        solutions = list(Rollouts(solver, EXPLORATION).solve(stream, ordered=True))
    assert [solution.index for solution in solutions] == list(range(40))
    for puzzle, solution in zip(stream, solutions, strict=True):
        assert solution.q_halt[-1] == max(logits(puzzle))
        assert solution.steps == 2 * len(AUGMENTATIONS)
        # The fake echoes its puzzle, so the augmentation was inverted.
        np.testing.assert_array_equal(solution.answer, puzzle.tokens)


def test_no_further_attempt_once_confident() -> None:
    stream = puzzles(40)
    with Solver(ConfidentByFirstCell(), halting=FIXED, batch=8, trace=True) as solver:
        rollouts = Rollouts(solver, EXPLORATION, MostConfident(0.9))
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
        stream = Rollouts(solver, EXPLORATION, MostConfident(0.9)).solve(
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


def test_a_puzzle_that_does_not_fit() -> None:
    with Solver(FakeBackend()) as solver:
        wrong = [*puzzles(3), Puzzle(np.full(81, 11, np.int32))]
        with pytest.raises(PuzzleError, match=r"puzzle 3: token ids must lie in 0\.\.10"):
            list(Rollouts(solver, EXPLORATION).solve(wrong))


@pytest.mark.parametrize("selector", [MostConfident(), MostConfident(0.9), MostFrequent()])
@pytest.mark.parametrize("batch", [1, 3, 16])
def test_tries_that_begin_ahead_change_no_answer(selector: Selector, batch: int) -> None:
    """Noise moves q_halt, so the tries of a puzzle differ; none of that depends on the slots."""
    stream = [Puzzle(puzzle.tokens) for puzzle in puzzles(6)]
    exploration = Exploration(8, AUGMENTATIONS, noise=3.0)

    def solved(batch: int, *, ahead: bool) -> list[tuple[bytes, int, int, list[float]]]:
        with Solver(CarryingBackend(), halting=FIXED, batch=batch) as solver:
            rollouts = Rollouts(solver, exploration, selector, ahead=ahead)
            solutions = list(rollouts.solve(stream, ordered=True))
        assert [solution.index for solution in solutions] == list(range(len(stream)))
        summary = []
        for solution in solutions:
            logits = solution.q_halt.round(4).tolist()
            summary.append((solution.answer.tobytes(), solution.tries, solution.steps, logits))
        return summary

    assert solved(batch, ahead=True) == solved(1, ahead=False)


def test_the_settled_selector_compares_tries_at_their_end() -> None:
    exploration = Exploration(2, noise=1.0)
    with (
        Solver(CarryingBackend(), halting=FIXED) as solver,
        pytest.raises(ConfigError, match="settled needs a solver with measure_changes=True"),
    ):
        Rollouts(solver, exploration, MostSettled())
    with (
        Solver(CarryingBackend(), measure_changes=True) as solver,
        pytest.raises(ConfigError, match=r"halting is adaptive.*Choose fixed halting"),
    ):
        Rollouts(solver, exploration, MostSettled())
    single = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=1)
    with (
        Solver(CarryingBackend(), halting=single, measure_changes=True) as solver,
        pytest.raises(ConfigError, match=r"every try has a single step. Allow 2 or more"),
    ):
        Rollouts(solver, exploration, MostSettled())
    with Solver(CarryingBackend(), halting=FIXED, measure_changes=True) as solver:
        solution = Rollouts(solver, exploration, MostSettled()).solve_one(puzzles(1)[0])
    assert solution.tries == 2


def test_tries_ahead_use_the_slots_of_a_single_puzzle() -> None:
    backend = CarryingBackend()
    with Solver(backend, halting=FIXED, batch=8) as solver:
        rollouts = Rollouts(solver, Exploration(8, noise=0.1), ahead=True)
        solution = rollouts.solve_one(puzzles(1)[0])
    assert solution.tries == 8
    assert solution.steps == 16
    assert backend.steps_run == 2  # all tries together


def test_tries_that_nobody_needs_any_more_are_given_up() -> None:
    backend = CarryingBackend()
    long = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=16)
    first_is_enough = MostConfident(0.9)  # q_halt is 26 after 16 steps
    with Solver(backend, halting=long, batch=3) as solver:
        rollouts = Rollouts(solver, Exploration(9, noise=0.1), first_is_enough, ahead=True)
        solutions = list(rollouts.solve(puzzles(2), ordered=True))
    assert [solution.tries for solution in solutions] == [1, 1]
    assert backend.steps_run == 16  # two first tries and one ahead, which was given up


def test_the_deadline_is_that_of_all_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock)
    backend = SlowBackend(clock, seconds=1.0)
    with Solver(backend, halting=FIXED, batch=1, deadline=5.5) as solver:
        solution = Rollouts(solver, Exploration(8, noise=0.1)).solve_one(puzzles(1)[0])
    assert solution.timed_out
    assert solution.steps == 5  # two tries of two steps, and one step of the third
    assert solution.tries == 3


class SlowAndConfident(ConfidentByFirstCell):
    """Each step takes a second on a fake clock.

    Args:
        clock: is moved.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        self._clock.seconds += 1
        return super().step(tokens, puzzle_embedding, reset)


def test_every_try_that_times_out_has_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first slot's is not the answer only because it comes first."""
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock)
    slow = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=9)
    best = set()
    with Solver(SlowAndConfident(clock), halting=slow, batch=4, deadline=3.5) as solver:
        rollouts = Rollouts(solver, EXPLORATION, ahead=True)
        for puzzle in puzzles(8):
            solution = rollouts.solve_one(puzzle)
            assert solution.timed_out
            assert solution.tries == 4
            assert solution.q_halt[-1] == max(logits(puzzle))
            best.add(int(np.argmax(logits(puzzle))))
    assert len(best) > 1


def test_tries_in_time_are_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(time, "monotonic", clock)
    with Solver(SlowBackend(clock, seconds=1.0), halting=FIXED, batch=1) as solver:
        rollouts = Rollouts(solver, Exploration(2, noise=0.1))
        solution = rollouts.solve_one(puzzles(1)[0], deadline=4.5)
    assert not solution.timed_out
    assert solution.tries == 2
