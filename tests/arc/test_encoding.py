"""Canvases are the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.arc.units import UNITS, grids
from trm_edge.arc.encoding import encode


@pytest.mark.parametrize("part", ["input", "output"])
def test_published_tokens(part: str) -> None:
    expected = UNITS[f"enc_{part}_tokens"]
    for grid, offset, tokens in zip(
        grids(f"enc_{part}s"), UNITS["enc_offsets"], expected, strict=True
    ):
        assert np.array_equal(encode(grid, *offset), tokens)


def test_a_grid_must_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(np.zeros((30, 1), np.uint8), 1, 0)
