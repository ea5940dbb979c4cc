"""Risk and coverage: which answers a confidence lets through, and how many are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.samples import PUZZLES, fake_vectors, without_answers
from trm_edge.evaluation.coverage import THRESHOLDS, coverage_of
from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import ParityVectors


def with_confidence(vectors: ParityVectors, logits: list[float], wrong: list[int]) -> ParityVectors:
    """Give every puzzle a logit at the step where it stops, and some of them wrong answers."""
    q_halt = vectors.q_halt.copy()
    puzzles = np.arange(len(vectors))
    q_halt[puzzles, vectors.halting_steps - 1] = logits
    predictions = vectors.predictions.copy()
    predictions[wrong, :, 0] = 0
    return replace(vectors, q_halt=q_halt, predictions=predictions)


def test_every_threshold_counts_the_answers_above_it() -> None:
    reference = fake_vectors()
    logits = [-1.0] * 4 + [1.0] * 6 + [3.0] * 5 + [5.0] * 5  # 27, 73, 95.3 and 99.3 %
    candidate = with_confidence(reference, logits, wrong=[0, 1, 4, 15])
    coverage = coverage_of(reference, candidate)
    assert coverage is not None
    counts = []
    for point in coverage.candidate:
        counts.append((point.answered, point.wrong))
        assert point.coverage == point.answered / PUZZLES
        assert point.coverage_interval == wilson_interval(point.answered, PUZZLES)
        assert point.risk_interval == wilson_interval(point.wrong, point.answered)
    assert counts == [(20, 4), (16, 2), (10, 1), (5, 1), (0, 0), (0, 0)]
    assert [point.min_confidence for point in coverage.candidate] == list(THRESHOLDS)
    assert coverage.candidate[1].risk == pytest.approx(2 / 16)
    assert coverage.candidate[-1].risk is None
    assert coverage.candidate[-1].risk_interval == (0, 1)


def test_the_reference_has_points_of_its_own() -> None:
    reference = fake_vectors()  # q_halt is 0.5 where it stops, 62 %
    coverage = coverage_of(reference, with_confidence(reference, [9.0] * PUZZLES, wrong=[3]))
    assert coverage is not None
    assert [point.answered for point in coverage.reference] == [20, 20, 0, 0, 0, 0]
    assert [point.wrong for point in coverage.reference] == [0] * len(THRESHOLDS)
    assert [point.wrong for point in coverage.candidate] == [1, 1, 1, 1, 1, 0]


def test_nothing_is_known_without_answers() -> None:
    vectors = without_answers(fake_vectors())
    assert coverage_of(vectors, vectors) is None
