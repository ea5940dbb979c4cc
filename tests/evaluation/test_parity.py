from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.loop.solver import Solver
from trm_edge.manifest import Limits
from trm_edge.puzzle import Puzzle, unknown_label

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
    assert report.halting.agreement == pytest.approx(0.8)
    assert report.broken(Limits()) == [
        "80.0 % of the puzzles stop at the same step, at least 90.0 % must"
    ]


def test_carries_are_compared_step_by_step() -> None:
    vectors = fake_vectors()
    rng = np.random.default_rng(1)
    shape = vectors.z_H.shape
    z = rng.standard_normal(shape).astype(np.float16)
    turned = z.copy()
    turned[:, 3] *= -1  # the fourth step points the other way
    reference = replace(vectors, z_H=z, z_L=z)
    report = compare(reference, replace(reference, z_H=turned))
    assert report.carry.z_L == pytest.approx([1.0] * shape[1])
    assert report.carry.z_H[3] == pytest.approx(-1.0)
    assert report.carry.by_step[3] == pytest.approx(0.0)
    assert report.carry.by_step[0] == pytest.approx(1.0)


def test_carries_that_are_kept_are_the_loops() -> None:
    """With slots refilled in any order, each kept row belongs to its puzzle and step."""
    rng = np.random.default_rng(0)
    puzzles = [Puzzle(rng.integers(0, 11, 81, dtype=np.int32)) for _ in range(9)]
    labels = np.stack([p.tokens for p in puzzles]).astype(np.uint8)
    many, one = (
        record_vectors(FakeBackend(), None, puzzles, labels, batch=batch, carry_puzzles=7)
        for batch in (4, 1)
    )
    assert many.z_H.shape == (7, 16, FAKE_CONFIG.hidden_size)
    np.testing.assert_array_equal(many.z_H, one.z_H)
    np.testing.assert_array_equal(many.z_L, one.z_L)


def test_histogram_and_calibration_of_the_halting_head() -> None:
    vectors = fake_vectors()
    sure = np.full_like(vectors.q_halt, 50.0)
    known = (vectors.predictions == vectors.labels[:, None]).all(-1)
    knowing = np.where(known, 50.0, -50.0).astype(np.float32)
    halting = compare(replace(vectors, q_halt=sure), replace(vectors, q_halt=knowing)).halting
    assert sum(halting.histogram_reference) == N
    assert halting.histogram_reference == halting.histogram_candidate
    assert halting.calibration_reference == pytest.approx(1 - known.mean(), abs=1e-6)
    assert halting.calibration_candidate == pytest.approx(0, abs=1e-6)


def test_runs_over_other_puzzles_cannot_be_compared() -> None:
    vectors = fake_vectors()
    with pytest.raises(BundleError, match="same puzzles"):
        compare(vectors, replace(vectors, tokens=vectors.tokens[::-1]))


def test_the_interval_of_the_drop_shrinks_with_puzzles() -> None:
    low, high = paired_drop(0, 0, 100)
    assert low < 0 < high
    assert paired_drop(0, 0, 10_000)[1] < high / 50
    assert paired_drop(30, 10, 1000)[0] > 0
    one, other = paired_drop(7, 3, 500), paired_drop(3, 7, 500)
    assert one == pytest.approx((-other[1], -other[0]))


def test_without_answers_the_reference_counts_as_right() -> None:
    vectors = fake_vectors()
    unknown = replace(
        vectors, labels=np.full_like(vectors.labels, unknown_label(vectors.labels.dtype))
    )
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
