"""Puzzles of random tokens are recognised as such, and nothing else is."""

from __future__ import annotations

import numpy as np

from tests.toys import BASE
from trm_edge.evaluation.random_tokens import RANDOM_PUZZLES, random_entries


def test_random_tokens_are_the_same_every_time() -> None:
    first = random_entries(BASE, RANDOM_PUZZLES)
    second = random_entries(BASE, RANDOM_PUZZLES)
    for entry, repeated in zip(first, second, strict=True):
        np.testing.assert_array_equal(entry.puzzle.tokens, repeated.puzzle.tokens)
        assert entry.answer is None
