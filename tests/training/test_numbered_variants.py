"""Variants of tasks, numbered as the rows of a table."""

from __future__ import annotations

import numpy as np

from tests.training.toys import toy_tasks
from trm_edge.arc.variants import draw_variants
from trm_edge.training.numbered_variants import draw_numbered_variants, row_names


def test_rows_follow_one_another_after_the_blank_one() -> None:
    mirror, recolour = draw_numbered_variants(toy_tasks(), 5, seed=0)
    assert mirror.rows.tolist() == [1, 2, 3, 4, 5, 6]
    assert recolour.rows.tolist() == [7, 8, 9, 10, 11, 12]
    names = row_names((mirror, recolour))
    assert (names[0], names[1], names[7]) == ("<blank>", "mirror", "recolour")
    assert len(set(names)) == len(names) == 13


def test_one_source_of_random_numbers_serves_all_tasks() -> None:
    """As in the published builder, so that the rows of a dataset get the same names."""
    random = np.random.RandomState(3)
    expected = [name for task in toy_tasks() for name in draw_variants(task, 5, random).names()]
    assert row_names(draw_numbered_variants(toy_tasks(), 5, seed=3))[1:] == expected
