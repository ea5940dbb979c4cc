"""Turns: a solver serves one stream at a time, can be cancelled, and stays usable."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.loop.carrying import CarryingBackend
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import BackendError, CancelledError
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.feed import LiveFeed
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

PUZZLE = Puzzle(np.ones(81, np.int32))
FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=3)


class InterruptedBackend(CarryingBackend):
    """Is interrupted in one of its steps, as by Ctrl-C."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._interrupted_step = step

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        outcome = super().step(tokens, puzzle_embedding, reset)
        if self.steps_run == self._interrupted_step:
            raise KeyboardInterrupt
        return outcome


class Visits:
    """Puzzles, before one of which something else is done with the solver.

    Args:
        solver: the solver.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver

    def __iter__(self) -> Iterator[Puzzle]:
        yield PUZZLE
        self._solver.solve_one(PUZZLE)
        yield PUZZLE


@pytest.mark.parametrize("rollouts", [False, True])
def test_cancelling_ends_the_wait_for_a_puzzle(rollouts: bool) -> None:
    """The other end of a live feed may never send anything again."""
    more = threading.Event()
    waits = threading.Event()

    def puzzles() -> Iterator[Puzzle]:
        yield PUZZLE
        waits.set()
        more.wait(60)

    answers: list[Solution] = []
    outcome: list[str] = []
    with Solver(CarryingBackend(), halting=FIXED, batch=2) as solver:

        def work() -> None:
            feed = LiveFeed(puzzles())
            stream = solver.solve(feed)
            if rollouts:
                stream = Rollouts(solver, Exploration(2, noise=1.0)).solve(feed)
            try:
                answers.extend(stream)
            except CancelledError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert waits.wait(60)
        solver.cancel()
        thread.join(60)
        assert not thread.is_alive()
        assert outcome == ["the solver was cancelled."]
        assert solver.solve_one(PUZZLE).steps == 3
    more.set()


def test_cancelling_a_finished_stream_leaves_the_next_one_alone() -> None:
    with Solver(CarryingBackend(), halting=FIXED, batch=2) as solver:
        list(solver.solve([PUZZLE]))
        stream = solver.solve([PUZZLE])
        solver.cancel()
        assert len(list(stream)) == 1


def test_a_stream_cannot_go_on_after_another_has_begun() -> None:
    """Its carries are gone: it would go on with those of the other."""
    with Solver(CarryingBackend(), halting=FIXED, batch=1) as solver:
        first = solver.solve([PUZZLE] * 3)
        next(first)
        assert [solution.steps for solution in solver.solve([PUZZLE] * 2)] == [3, 3]
        with pytest.raises(BackendError, match="another stream was begun with this solver"):
            next(first)
        assert solver.solve_one(PUZZLE).steps == 3


def test_a_puzzle_source_cannot_use_the_solver_it_feeds() -> None:
    with Solver(CarryingBackend(), halting=FIXED, batch=1) as solver:
        with pytest.raises(BackendError, match="the solver is at work already"):
            list(solver.solve(Visits(solver)))
        assert solver.solve_one(PUZZLE).steps == 3


def test_two_threads_cannot_use_one_solver_at_once() -> None:
    class Waiting(CarryingBackend):
        def step(
            self,
            tokens: NDArray[np.int32],
            puzzle_embedding: NDArray[np.float32] | None,
            reset: NDArray[np.bool_],
        ) -> HaltingLogits:
            steps.set()
            may_go_on.wait(60)
            return super().step(tokens, puzzle_embedding, reset)

    steps = threading.Event()
    may_go_on = threading.Event()
    answers: list[int] = []
    with Solver(Waiting(), halting=FIXED, batch=1) as solver:
        thread = threading.Thread(target=lambda: answers.append(solver.solve_one(PUZZLE).steps))
        thread.start()
        assert steps.wait(60)
        with pytest.raises(BackendError, match="open a solver for each"):
            solver.solve_one(PUZZLE)
        may_go_on.set()
        thread.join(60)
    assert answers == [3]


def test_a_stream_that_is_closed_half_way_leaves_the_solver_usable() -> None:
    with Solver(CarryingBackend(), halting=FIXED, batch=2) as solver:
        stream = solver.solve([PUZZLE] * 5)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert [solution.steps for solution in solver.solve([PUZZLE] * 3)] == [3] * 3


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_interrupted_step_leaves_the_solver_usable(step: int) -> None:
    with Solver(InterruptedBackend(step), halting=FIXED, batch=2) as solver:
        with pytest.raises(KeyboardInterrupt):
            list(solver.solve([PUZZLE] * 2))
        solution = solver.solve_one(PUZZLE)
        assert solution.steps == 3
        np.testing.assert_array_equal(solution.q_halt, [11, 12, 13])
