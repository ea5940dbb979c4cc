"""Grids are checked when they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trm_edge.arc.grids import GridError, parse_grid


def test_a_grid() -> None:
    grid = parse_grid([[0, 9], [1, 2]])
    assert grid.dtype == np.uint8
    assert grid.tolist() == [[0, 9], [1, 2]]
    assert parse_grid([[0] * 30] * 30).shape == (30, 30)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "a list of rows"),
        ([], "a list of rows"),
        ({}, "a list of rows"),
        ([[0]] * 31, "has 31 rows"),
        ([[0] * 31], "row 1 has 31 cells"),
        ([[1, 2], [1]], "row 2 has 1 cells, but row 1 has 2"),
        ([[1], []], "row 2 must be a list of colours"),
        ([[1], 7], "row 2 must be a list of colours"),
        ([[10]], "row 1 holds 10"),
        ([[-1]], "row 1 holds -1"),
        ([[True]], "row 1 holds true"),
        ([[1.0]], "row 1 holds 1.0"),
        ([["1"]], 'row 1 holds "1"'),
        ([[[1]]], r"row 1 holds \[1\]"),
    ],
)
def test_what_is_no_grid(value: Any, reason: str) -> None:
    with pytest.raises(GridError, match=reason):
        parse_grid(value)
