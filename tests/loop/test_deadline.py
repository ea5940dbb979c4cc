"""Deadlines: no step begins that would end too late, and a rare slow step changes little."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.loop.carrying import CarryingBackend
from tests.loop.clocks import FakeClock, SlowBackend
from trm_edge.backends.base import HaltingLogits
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import CancelledError, ConfigError
from trm_edge.loop.deadline import StepTimes, check_deadline
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle


class SlowFake(FakeBackend):
    """Halts after steps that the puzzle determines; each takes time on a fake clock.

    Args:
        clock: is moved.
        seconds: of a step.
    """

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        self._clock.seconds += self._seconds
        return super().step(tokens, puzzle_embedding, reset)


PUZZLE = Puzzle(np.ones(81, np.int32))
FIXED = HaltingRule.from_config(FAKE_CONFIG, "fixed", max_steps=8)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    fake = FakeClock()
    monkeypatch.setattr(time, "monotonic", fake)
    return fake


def test_the_expected_time_forgives_one_slow_step() -> None:
    times = StepTimes()
    assert times.expected == 0
    times.record(2.0, 1)
    assert times.expected == 2.0
    for seconds in (1.0, 1.1, 9.0, 1.2):
        times.record(seconds, 1)
    assert times.expected == 2.0
    for _ in range(16):
        times.record(1.0, 1)
    assert times.expected == 1.0


def test_the_expected_time_is_that_of_as_many_slots() -> None:
    times = StepTimes()
    for _ in range(4):
        times.record(8.0, 32)
    times.record(1.0, 1)
    assert times.expected == 1.0
    times.record(8.0, 32)
    assert times.expected == 8.0


@pytest.mark.parametrize(("deadline", "steps"), [(1.0, 1), (3.9, 3), (4.0, 4), (100.0, 8)])
def test_no_step_ends_after_the_deadline(clock: FakeClock, deadline: float, steps: int) -> None:
    with Solver(SlowBackend(clock, 1.0), halting=FIXED, batch=1, deadline=deadline) as solver:
        start = clock()
        solution = solver.solve_one(PUZZLE)
        assert clock() - start <= deadline
        assert solution.steps == steps
        assert solution.timed_out == (steps < 8)
        np.testing.assert_array_equal(solution.answer, PUZZLE.tokens)


def test_every_puzzle_of_a_stream_has_its_own_deadline(clock: FakeClock) -> None:
    with Solver(SlowBackend(clock, 1.0), halting=FIXED, batch=2, deadline=3.5) as solver:
        solutions = list(solver.solve([PUZZLE] * 5))
    assert [solution.steps for solution in solutions] == [3] * 5


class Growing(SlowBackend):
    """A step takes as many seconds as it has slots."""

    def start(self, slots: int) -> None:
        super().start(slots)
        self.seconds = slots

    def compact(self, slots: NDArray[np.int64]) -> None:
        super().compact(slots)
        self.seconds = len(slots)


def test_steps_of_many_slots_do_not_shorten_a_single_puzzle(clock: FakeClock) -> None:
    with Solver(Growing(clock, 1.0), halting=FIXED, batch=8, deadline=8.5) as solver:
        assert [solution.steps for solution in solver.solve([PUZZLE] * 8)] == [1] * 8
        assert solver.solve_one(PUZZLE).steps == 8


def test_the_time_that_a_caller_takes_is_not_that_of_a_step(clock: FakeClock) -> None:
    long = Puzzle(np.full(81, 5, np.int32))
    with Solver(SlowFake(clock, 1.0), batch=2) as solver:
        for _ in solver.solve([PUZZLE] * 20):
            clock.seconds += 100
        assert solver.solve_one(long).steps == 6
        assert solver.solve_one(long, deadline=6.0).steps == 6


def test_no_step_begins_for_a_puzzle_that_is_late_because_of_its_caller(clock: FakeClock) -> None:
    halts = [Puzzle(np.full(81, token, np.int32)) for token in (1, 5)]
    steps = []
    with Solver(SlowFake(clock, 1.0), batch=2, deadline=9.0) as solver:
        for solution in solver.solve(halts):
            steps.append(solution.steps)
            clock.seconds += 100
    assert steps == [2, 2]


def test_the_time_until_the_last_puzzle_of_a_batch_counts_for_the_first(clock: FakeClock) -> None:
    def slow_puzzles() -> Iterator[Puzzle]:
        yield PUZZLE
        clock.seconds += 3
        yield PUZZLE

    with Solver(SlowBackend(clock, 1.0), halting=FIXED, batch=2, deadline=5.5) as solver:
        steps = [solution.steps for solution in solver.solve(slow_puzzles(), ordered=True)]
    assert steps == [2, 5]


def test_time_that_a_watcher_takes_is_part_of_a_step(clock: FakeClock) -> None:
    def watch(indices: NDArray[np.int64], steps: NDArray[np.int32]) -> None:
        clock.seconds += 1

    backend = SlowBackend(clock, 1.0)
    with Solver(backend, halting=FIXED, batch=1, deadline=7.0, watch=watch) as solver:
        solver.solve_one(PUZZLE)
        start = clock()
        assert solver.solve_one(PUZZLE).steps == 3
        assert clock() - start <= 7


def test_a_call_can_have_a_deadline_of_its_own(clock: FakeClock) -> None:
    with Solver(SlowBackend(clock, 1.0), halting=FIXED, batch=1) as solver:
        assert solver.solve_one(PUZZLE).steps == 8
        assert solver.solve_one(PUZZLE, deadline=2.5).steps == 2
        assert solver.solve_one(PUZZLE).steps == 8


def test_a_deadline_shorter_than_one_step_is_refused(clock: FakeClock) -> None:
    message = r"deadline of 20 ms is shorter than one step, which takes 1e\+03 ms with 4 slots"
    solver = Solver(SlowBackend(clock, 1.0), batch=4, deadline=0.02)
    with pytest.raises(ConfigError, match=message), solver:
        pass


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_a_deadline_that_is_no_time(seconds: float) -> None:
    with pytest.raises(ConfigError, match="must be longer than 0 seconds"):
        check_deadline(seconds)
    with pytest.raises(ConfigError, match="must be longer than 0 seconds"):
        Solver(CarryingBackend(), deadline=seconds)


class WaitingBackend(CarryingBackend):
    """Stops in its second step until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waiting = threading.Event()
        self.may_go_on = threading.Event()

    def step(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
    ) -> HaltingLogits:
        if self.steps_run == 1:
            self.is_waiting.set()
            self.may_go_on.wait(60)
        return super().step(tokens, puzzle_embedding, reset)


def test_another_thread_can_cancel_and_the_solver_goes_on() -> None:
    backend = WaitingBackend()
    outcome: list[str] = []
    with Solver(backend, halting=FIXED, batch=1) as solver:

        def work() -> None:
            try:
                solver.solve_one(PUZZLE)
            except CancelledError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        assert backend.is_waiting.wait(60)
        solver.cancel()
        backend.may_go_on.set()
        thread.join(60)
        assert outcome == ["the solver was cancelled."]
        assert backend.steps_run == 2
        assert solver.solve_one(PUZZLE).steps == 8


def test_cancelling_nothing_does_nothing() -> None:
    with Solver(CarryingBackend(), halting=FIXED) as solver:
        solver.cancel()
        assert solver.solve_one(PUZZLE).steps == 8
