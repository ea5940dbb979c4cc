from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.backends.shares import share_elements, shares


@pytest.mark.parametrize("slots", [1, 4, 5, 9, 32])
@pytest.mark.parametrize("threads", [2, 3])
def test_shares_cover_every_slot_once_and_are_even(slots: int, threads: int) -> None:
    parts = shares(slots, threads, BASE, 200_000)
    assert np.concatenate([np.arange(slots)[part] for part in parts]).tolist() == list(range(slots))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(slots, threads)  # a toy's carry is small: one round is enough


def test_a_large_carry_is_worked_on_in_several_rounds() -> None:
    wide = replace(BASE, hidden_size=512, seq_len=95, num_heads=8)  # 97 vectors of 512
    assert len(shares(32, 2, wide, 200_000)) == 8
    assert len(shares(32, 2, replace(wide, seq_len=900), 200_000)) == 32


def test_a_large_graph_has_larger_shares() -> None:
    assert share_elements(20_000_000) > share_elements(1_000_000)
