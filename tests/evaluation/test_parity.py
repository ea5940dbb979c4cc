from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.samples import fake_vectors, without_answers
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.parity import BrokenLimit, compare
from trm_edge.manifest import Limits


def test_identical_runs() -> None:
    vectors = fake_vectors()
    report = compare(vectors, vectors)
    for mode in report.modes:
        assert (mode.exact_reference, mode.exact_candidate, mode.drop) == (1, 1, 0)
        assert (mode.lost, mode.gained, mode.p_value) == (0, 0, 1)
    assert report.halting.agreement == 1
    assert report.broken(Limits(max_drop=0, min_halting_agreement=1)) == []


def test_flips_are_counted_both_ways_and_by_mode() -> None:
    vectors = fake_vectors()
    worse = vectors.predictions.copy()
    worse[0, -1, 5] += 1  # fixed only, unless it halts at the last step
    worse[1, :, 5] += 1  # both
    reference = replace(vectors, predictions=vectors.predictions.copy())
    reference.predictions[2, :, 0] += 1  # wrong in the reference, right in the candidate
    report = compare(reference, replace(vectors, predictions=worse))
    assert (report.fixed.mode, report.adaptive.mode) == ("fixed", "adaptive")
    assert (report.fixed.lost, report.fixed.gained) == (2, 1)
    assert report.fixed.drop == pytest.approx(5.0)
    assert (report.adaptive.lost, report.adaptive.gained) == (1, 1)
    assert report.worst_drop == report.fixed.drop
    message = "fixed: 5.00 points of exact match lost, limit 4.00"
    assert report.broken(Limits(max_drop=4.0)) == [BrokenLimit("exact_match.fixed", message)]


def test_other_halting_steps_break_the_limit() -> None:
    vectors = fake_vectors()
    steps = vectors.halting_steps.copy()
    steps[:4] = 17 - steps[:4]
    report = compare(vectors, replace(vectors, halting_steps=steps))
    assert report.halting.agreement == pytest.approx(0.8)
    message = "80.0 % of the puzzles stop at the same step, limit 90.0 %"
    assert report.broken(Limits()) == [BrokenLimit("halting.agreement", message)]


def test_runs_over_other_puzzles_cannot_be_compared() -> None:
    vectors = fake_vectors()
    with pytest.raises(BundleError, match="same puzzles"):
        compare(vectors, replace(vectors, tokens=vectors.tokens[::-1]))


def test_without_labels_the_reference_counts_as_right() -> None:
    vectors = fake_vectors()
    unlabelled = without_answers(vectors)
    candidate = replace(unlabelled, predictions=(vectors.predictions + 1).astype(np.uint8))
    report = compare(unlabelled, candidate)
    assert not report.labelled
    assert (report.fixed.drop, report.adaptive.drop) == (100, 100)


def test_limits_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"max_drop must lie in 0\.\.100 points, but got 101"):
        Limits(max_drop=101)
    with pytest.raises(ConfigError, match=r"min_halting_agreement must lie in 0\.\.1"):
        Limits(min_halting_agreement=2)
