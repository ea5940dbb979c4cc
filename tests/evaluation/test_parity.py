from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.statistics import mcnemar_exact, wilson_interval
from trm_edge.evaluation.vectors import UNKNOWN, ParityVectors, record_vectors
from trm_edge.manifest import Limits
from trm_edge.solver import Puzzle, Solver

N = 20


def fake_vectors() -> ParityVectors:
    rng = np.random.default_rng(0)
    puzzles = [Puzzle(rng.integers(0, 11, 81, dtype=np.int32)) for _ in range(N)]
    labels = np.stack([p.tokens for p in puzzles]).astype(np.uint8)
    return record_vectors(FakeBackend(), None, puzzles, labels, batch=6)


def test_one_fixed_run_holds_the_adaptive_run() -> None:
    vectors = fake_vectors()
    with Solver(FakeBackend(), batch=4) as solver:
        for solution in solver.solve(vectors.puzzles()):
            assert vectors.halting_steps[solution.index] == solution.steps
            np.testing.assert_array_equal(
                vectors.answers(adaptive=True)[solution.index], solution.answer
            )


def test_nothing_changed() -> None:
    vectors = fake_vectors()
    report = compare(vectors, vectors)
    for mode in report.modes:
        assert (mode.exact_reference, mode.exact_candidate, mode.drop) == (1, 1, 0)
        assert (mode.lost, mode.gained, mode.p_value) == (0, 0, 1)
    assert report.halting_agreement == 1
    assert report.broken(Limits(max_drop=0, min_halting_agreement=1)) == []


def test_flips_are_counted_both_ways_and_by_mode() -> None:
    vectors = fake_vectors()
    worse = vectors.predictions.copy()
    worse[0, -1, 5] += 1  # fixed only, unless it halts at the last step
    worse[1, :, 5] += 1  # both
    reference = replace(vectors, predictions=vectors.predictions.copy())
    reference.predictions[2, :, 0] += 1  # wrong in the reference, right in the candidate
    report = compare(reference, replace(vectors, predictions=worse))
    fixed, adaptive = report.modes
    assert (fixed.mode, fixed.lost, fixed.gained) == ("fixed", 2, 1)
    assert fixed.drop == pytest.approx(5.0)
    assert (adaptive.lost, adaptive.gained) == (1, 1)
    assert report.broken(Limits(max_drop=4.0)) == [
        "fixed: 5.00 points of exact match are lost, at most 4.00 may be"
    ]


def test_halting_elsewhere_breaks_the_limit() -> None:
    vectors = fake_vectors()
    steps = vectors.halting_steps.copy()
    steps[:4] = 17 - steps[:4]
    report = compare(vectors, replace(vectors, halting_steps=steps))
    assert report.halting_agreement == pytest.approx(0.8)
    assert report.broken(Limits()) == [
        "80.0 % of the puzzles stop at the same step, at least 90.0 % must"
    ]


def test_without_answers_the_reference_counts_as_right() -> None:
    vectors = fake_vectors()
    unknown = replace(vectors, labels=np.full_like(vectors.labels, UNKNOWN))
    candidate = replace(unknown, predictions=(vectors.predictions + 1).astype(np.uint8))
    report = compare(unknown, candidate)
    assert not report.labelled
    assert [mode.drop for mode in report.modes] == [100, 100]


def test_round_trip(tmp_path: Path) -> None:
    vectors = fake_vectors()
    vectors.save(tmp_path / "parity.npz")
    with np.load(tmp_path / "parity.npz") as arrays:
        again = ParityVectors.from_arrays(dict(arrays))
    assert compare(vectors, again).to_dict() == compare(vectors, vectors).to_dict()


def test_arrays_that_are_damaged() -> None:
    vectors = fake_vectors()
    with pytest.raises(BundleError, match="parity vectors lack tokens, identifiers"):
        ParityVectors.from_arrays({})
    with pytest.raises(BundleError, match=r"labels must be \(20, 81\), but is \(19, 81\)"):
        replace(vectors, labels=vectors.labels[:-1])


def test_wilson_interval_against_known_values() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (10, 2, 0.03857)]
)
def test_mcnemar_against_known_values(lost: int, gained: int, p: float) -> None:
    assert mcnemar_exact(lost, gained) == pytest.approx(p, abs=1e-5)
    assert mcnemar_exact(gained, lost) == pytest.approx(p, abs=1e-5)


def test_limits_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"max_drop must lie in 0\.\.100 points, but got 101"):
        Limits(max_drop=101)
    with pytest.raises(ConfigError, match=r"min_halting_agreement must lie in 0\.\.1"):
        Limits(min_halting_agreement=2)


def test_the_fake_halts_at_many_depths() -> None:
    assert len(set(fake_vectors().halting_steps.tolist())) > 5
    assert FAKE_CONFIG.halt_max_steps == 16
