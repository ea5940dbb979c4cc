"""Paths on a grid, against a search over all walks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trm_edge.tasks.grid_paths import SquareGrid

GRID = SquareGrid(3)  # cells 0 1 2 / 3 4 5 / 6 7 8


def test_neighbours_stay_inside_the_square() -> None:
    assert GRID.neighbours[4] == [1, 7, 3, 5]
    assert GRID.neighbours[0] == [3, 1]
    assert GRID.neighbours[8] == [5, 7]


@given(st.lists(st.booleans(), min_size=9, max_size=9), st.integers(0, 8), st.integers(0, 8))
def test_the_shortest_path(passable: list[bool], start: int, goal: int) -> None:
    walks = [{start}]
    expected = None
    for steps in range(9):
        if any(goal in cells for cells in walks[-1:]):
            expected = steps
            break
        reached: set[int] = set()
        for cell in walks[-1]:
            reached.update(near for near in GRID.neighbours[cell] if passable[near])
        walks.append(reached)
    assert GRID.shortest_path(np.array(passable), start, goal) == expected


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ([1, 2, 5], 4),
        ([3, 6, 7], 4),
        ([1, 4, 5], 4),
        ([], "the path from S ends at row 1, column 1, not at G"),
        ([1, 2], "the path from S ends at row 1, column 3, not at G"),
        ([1, 3, 2, 5], "the path branches at row 1, column 1"),
        ([1, 2, 5, 6], "row 3, column 1 is marked, but is not on the path"),
    ],
)
def test_marked_cells_are_one_path(marked: list[int], expected: int | str) -> None:
    assert GRID.path_length(np.array(marked, int), 0, 8) == expected
