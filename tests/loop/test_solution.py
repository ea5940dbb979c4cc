"""A solution, and solutions in the order of their puzzles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from trm_edge.loop.solution import Solution, in_order


def solution_of(index: int, logit: float = 0.0) -> Solution:
    q = np.array([-1.0, logit], np.float32)
    return Solution(index, np.zeros(1, np.uint8), 2, True, q, q)


@pytest.mark.parametrize(
    ("logit", "expected"), [(0.0, 0.5), (2.0, 0.880797), (-2.0, 0.119203), (1e30, 1), (-1e30, 0)]
)
def test_confidence_is_the_sigmoid_of_the_last_q_halt(logit: float, expected: float) -> None:
    assert solution_of(0, logit).confidence == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2], []])
def test_solutions_come_in_the_order_of_the_puzzles(order: list[int]) -> None:
    ordered = in_order(solution_of(index) for index in order)
    assert [solution.index for solution in ordered] == sorted(order)


def test_solutions_behind_one_that_never_comes_are_handed_out_at_the_end() -> None:
    ordered = in_order(solution_of(index) for index in (4, 0, 3, 1))
    assert [solution.index for solution in ordered] == [0, 1, 3, 4]


def test_a_solution_is_handed_out_as_soon_as_those_before_it_are() -> None:
    drawn = []

    def stream() -> Iterator[Solution]:
        for index in (1, 0, 2):
            drawn.append(index)
            yield solution_of(index)

    solutions = in_order(stream())
    assert next(solutions).index == 0
    assert next(solutions).index == 1
    assert drawn == [1, 0]
