"""Turns and reflections are numpy's, and each is undone."""

from __future__ import annotations

import numpy as np
import pytest

from trm_edge.dihedral import DIHEDRAL_INVERSES, dihedral

GRID = np.arange(6).reshape(2, 3)


def test_numbers_are_the_published_ones() -> None:
    turned = np.rot90(GRID)
    expected = [GRID, turned, np.rot90(GRID, 2), np.rot90(GRID, 3)]
    expected += [np.fliplr(GRID), np.flipud(GRID), GRID.T, np.fliplr(turned)]
    for number, image in enumerate(expected):
        assert dihedral(GRID, number).tolist() == image.tolist()


@pytest.mark.parametrize("number", range(8))
def test_each_is_undone(number: int) -> None:
    back = dihedral(dihedral(GRID, number), DIHEDRAL_INVERSES[number])
    assert back.tolist() == GRID.tolist()
