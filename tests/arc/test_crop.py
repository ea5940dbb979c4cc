"""Grids are cut out of answers by the published rule."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.arc.units import UNITS
from trm_edge.arc.crop import crop, crop_shapes
from trm_edge.arc.encoding import encode


def crop_by_rule(canvas: NDArray[np.uint8]) -> tuple[int, int]:
    """The rule, row by row."""
    best = (0, 0)
    width = 30
    for row in range(30):
        leading = 0
        while leading < width and 2 <= canvas[row, leading] <= 11:
            leading += 1
        width = leading
        if (row + 1) * width > best[0] * best[1]:
            best = (row + 1, width)
    return best


def test_published_crops() -> None:
    for tokens, shape in zip(UNITS["canvases"], UNITS["crop_shapes"], strict=True):
        grid = crop(tokens)
        assert grid.size == shape.prod()
        if grid.size:
            assert grid.shape == tuple(shape)
            expected = tokens.reshape(30, 30)[: shape[0], : shape[1]] - 2
            assert np.array_equal(grid, expected)


@given(st.integers(0, 2**32 - 1), st.floats(0.8, 1))
def test_the_rule_row_by_row(seed: int, colour_share: float) -> None:
    random = np.random.default_rng(seed)
    canvases = random.integers(2, 12, (5, 30, 30)).astype(np.uint8)
    canvases[random.random(canvases.shape) > colour_share] = 1
    expected = [crop_by_rule(canvas) for canvas in canvases]
    assert crop_shapes(canvases.reshape(5, 900)).tolist() == [list(shape) for shape in expected]


def test_an_encoded_grid_comes_back() -> None:
    for shape in [(1, 1), (30, 30), (30, 1), (1, 30), (3, 7)]:
        grid = np.random.default_rng(0).integers(0, 10, shape).astype(np.uint8)
        assert np.array_equal(crop(encode(grid)), grid)


def test_many_canvases_are_cropped_in_blocks() -> None:
    canvases = np.stack([encode(np.zeros((1 + row % 30, 2))) for row in range(5000)])
    shapes = crop_shapes(canvases)
    assert shapes[:, 0].tolist() == [1 + row % 30 for row in range(5000)]


def test_no_colour_first_is_the_empty_grid() -> None:
    assert crop(np.ones(900, np.uint8)).shape == (0, 0)
