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
    # One puzzle of 20 on balance is chance, whatever the limit.
    assert report.broken(Limits(max_drop=4.0)) == []
    assert [limit.verdict for limit in report.judge(Limits(max_drop=4.0))] == [
        "inconclusive",
        "inconclusive",
        "inconclusive",
    ]


def test_answers_that_are_lost_beyond_chance_break_the_limit() -> None:
    vectors = fake_vectors()
    worse = vectors.predictions.copy()
    worse[:8, -1, 5] += 1
    report = compare(vectors, replace(vectors, predictions=worse))
    message = "fixed: 40.00 points of exact match lost (95 % +14.38 to +58.35), limit 4.00"
    assert BrokenLimit("exact_match.fixed", message) in report.broken(Limits(max_drop=4.0))
    assert report.broken(Limits(max_drop=20.0)) == []


def test_other_halting_steps_break_the_limit() -> None:
    vectors = fake_vectors()
    steps = vectors.halting_steps.copy()
    steps[:8] = 17 - steps[:8]
    report = compare(vectors, replace(vectors, halting_steps=steps))
    assert report.halting.agreement == pytest.approx(0.6)
    message = "60.0 % of the puzzles stop at the same step (95 % 38.7 to 78.1), limit 90.0 %"
    assert BrokenLimit("halting.agreement", message) in report.broken(Limits())
    assert report.broken(Limits(min_halting_agreement=0.7)) == []


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


def test_figures_from_a_file_that_cannot_be_are_refused() -> None:
    vectors = fake_vectors()
    report = compare(vectors, vectors)
    with pytest.raises(ConfigError, match="puzzles must be 1 or more, but is 0"):
        replace(report, puzzles=0)
    with pytest.raises(ConfigError, match="lost and gained must be of 20 puzzles"):
        replace(report, fixed=replace(report.fixed, lost=21))
    with pytest.raises(ConfigError, match="agreement must lie in"):
        replace(report, halting=replace(report.halting, agreement=1.5))
