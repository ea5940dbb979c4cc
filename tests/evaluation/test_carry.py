from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.samples import fake_vectors
from trm_edge.evaluation.carry import carry_parity, cosine_similarity


def test_cosines_along_the_last_axis() -> None:
    left = np.array([[1, 0], [1, 1], [0, 0]], np.float16)
    right = np.array([[-2, 0], [1, 0], [1, 0]], np.float16)
    assert cosine_similarity(left, right) == pytest.approx([-1.0, 0.5**0.5, 0.0])


def test_carries_are_compared_step_by_step() -> None:
    vectors = fake_vectors()
    shape = vectors.carries["z_H"].shape
    states = np.random.default_rng(1).standard_normal(shape).astype(np.float16)
    flipped = states.copy()
    flipped[:, 3] *= -1  # the fourth step points the other way
    reference = replace(vectors, carries={"z_H": states, "z_L": states})
    carry = carry_parity(reference, replace(reference, carries={"z_H": flipped, "z_L": states}))
    assert carry.puzzles == len(states)
    assert carry.states["z_L"] == pytest.approx([1.0] * states.shape[1])
    assert carry.states["z_H"][3] == pytest.approx(-1.0)
    assert carry.by_step[3] == pytest.approx(0.0)
    assert carry.by_step[0] == pytest.approx(1.0)
