from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.samples import PUZZLES, fake_vectors, without_answers
from trm_edge.evaluation.halting_parity import halting_parity


def test_histogram_and_calibration_error_of_the_halting_head() -> None:
    vectors = fake_vectors()
    right = (vectors.predictions == vectors.labels[:, None]).all(-1)
    always_confident = np.full_like(vectors.q_halt, 50.0)
    calibrated = np.where(right, 50.0, -50.0).astype(np.float32)
    halting = halting_parity(
        replace(vectors, q_halt=always_confident),
        replace(vectors, q_halt=calibrated),
    )
    assert sum(halting.histogram_reference) == PUZZLES
    assert halting.histogram_reference == halting.histogram_candidate
    assert halting.calibration_reference == pytest.approx(1 - right.mean(), abs=1e-6)
    assert halting.calibration_candidate == pytest.approx(0, abs=1e-6)


def test_differences_of_the_logit() -> None:
    vectors = fake_vectors()
    shifted = vectors.q_halt.copy()
    shifted[:, 0] += 2.0
    halting = halting_parity(vectors, replace(vectors, q_halt=shifted))
    assert halting.first_step_difference == pytest.approx(2.0)
    assert halting.q_halt_difference == pytest.approx(2.0 / vectors.q_halt.shape[1])


def test_without_known_answers_the_head_has_no_calibration_error() -> None:
    vectors = without_answers(fake_vectors())
    halting = halting_parity(vectors, vectors)
    assert halting.calibration_reference is None
    assert halting.calibration_candidate is None
    assert halting.agreement == 1
