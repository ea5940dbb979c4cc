"""What too few puzzles cannot show."""

from __future__ import annotations

from math import inf

import pytest

from trm_edge.evaluation.statistics import paired_drop
from trm_edge.regression.blind_spot import blind_spot, puzzles_for, smallest_loss


@pytest.mark.parametrize("puzzles", [8, 64, 512, 2000])
def test_the_smallest_loss_is_the_first_that_differs_from_chance(puzzles: int) -> None:
    loss = smallest_loss(puzzles)
    assert paired_drop(loss, 0, puzzles)[0] > 0
    assert paired_drop(loss - 1, 0, puzzles)[0] <= 0


def test_no_drop_shows_on_one_puzzle() -> None:
    assert smallest_loss(1) == 2
    assert "no drop at all counts as a regression" in str(blind_spot(1, 0.5))


def test_the_number_that_is_named_is_enough_and_no_note_is_made_then() -> None:
    assert puzzles_for(0.5) == 1000
    assert blind_spot(1000, 0.5) is None
    assert blind_spot(999, 0.5) is not None
    assert puzzles_for(0) == inf


def test_the_note() -> None:
    assert blind_spot(64, 0.5) == (
        "64 held-out puzzles cannot show a drop of 0.5 points: the interval of an unchanged bundle "
        "is +-3.0 points, and a drop under 7.8 points (5 puzzles) stays unseen. 1,000 puzzles "
        "would do."
    )
    assert "would do" not in str(blind_spot(64, 0))
