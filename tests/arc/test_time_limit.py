"""The time limit cancels the solver in time, and only then."""

from __future__ import annotations

import time
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from tests.arc.voters import CANVAS
from trm_edge.arc.time_limit import TimeLimit
from trm_edge.backends.fake import FakeBackend
from trm_edge.errors import CancelledError
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle

PUZZLE = Puzzle(np.zeros(900, np.int32))


class Slow(FakeBackend):
    """Takes its time for every step."""

    def step(self, *arguments: Any) -> Any:
        time.sleep(0.15)
        return super().step(*arguments)


def test_an_endless_stream_ends_in_time() -> None:
    end = time.monotonic() + 1.0
    with Solver(Slow(CANVAS), batch=2) as solver, TimeLimit(solver, end) as limit:
        with pytest.raises(CancelledError):
            list(solver.solve(repeat(PUZZLE)))
        assert limit.is_over
    assert solver.slot_steps >= 2


def test_the_time_for_writing_is_kept() -> None:
    with Solver(FakeBackend(CANVAS)) as solver:
        limit = TimeLimit(solver, time.monotonic() + 60)
        assert not limit.is_over
        limit.writing_seconds = 31
        assert limit.is_over


def test_without_a_limit_nothing_is_cancelled() -> None:
    with Solver(FakeBackend(CANVAS)) as solver, TimeLimit(solver, float("inf")) as limit:
        assert len(list(solver.solve([PUZZLE] * 5))) == 5
        assert not limit.is_over


def test_the_solver_can_be_used_after_the_limit() -> None:
    with Solver(Slow(CANVAS), batch=2) as solver:
        with TimeLimit(solver, time.monotonic()), pytest.raises(CancelledError):
            list(solver.solve(repeat(PUZZLE)))
        assert len(list(solver.solve([PUZZLE]))) == 1
