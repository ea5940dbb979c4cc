from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.samples import fake_puzzles, fake_vectors
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.errors import BundleError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.loop.solver import Solver


def test_a_fixed_run_contains_the_adaptive_run() -> None:
    vectors = fake_vectors()
    answers = vectors.answers(adaptive=True)
    with Solver(FakeBackend(), batch=4) as solver:
        for solution in solver.solve(vectors.puzzles()):
            assert vectors.halting_steps[solution.index] == solution.steps
            np.testing.assert_array_equal(answers[solution.index], solution.answer)


def test_recorded_carries_belong_to_their_puzzle_and_step() -> None:
    """Slots are refilled in another order with more slots; the records must not change."""
    puzzles = fake_puzzles(9)
    labels = np.stack([puzzle.tokens for puzzle in puzzles]).astype(np.uint8)
    four_slots = record_vectors(FakeBackend(), None, puzzles, labels, batch=4, carry_puzzles=7)
    single_slot = record_vectors(FakeBackend(), None, puzzles, labels, batch=1, carry_puzzles=7)
    assert four_slots.carries["z_H"].shape == (7, 16, FAKE_CONFIG.hidden_size)
    np.testing.assert_array_equal(four_slots.carries["z_H"], single_slot.carries["z_H"])
    np.testing.assert_array_equal(four_slots.carries["z_L"], single_slot.carries["z_L"])


def test_round_trip(tmp_path: Path) -> None:
    vectors = fake_vectors()
    vectors.save(tmp_path / "parity.npz")
    content = (tmp_path / "parity.npz").read_bytes()
    loaded = ParityVectors.decode(content, FAKE_CONFIG, "parity.npz")
    assert compare(vectors, loaded) == compare(vectors, vectors)


def test_damaged_arrays() -> None:
    vectors = fake_vectors()
    with pytest.raises(BundleError, match=r"parity\.npz does not hold .* not an \.npz file"):
        ParityVectors.decode(b"", FAKE_CONFIG, "parity.npz")
    with pytest.raises(BundleError, match=r"labels must be \(20, 81\), but is \(19, 81\)"):
        replace(vectors, labels=vectors.labels[:-1])


def test_the_fake_backend_halts_at_many_depths() -> None:
    assert len(set(fake_vectors().halting_steps.tolist())) > 5
    assert FAKE_CONFIG.halt_max_steps == 16


def test_cells_without_a_label_do_not_count() -> None:
    """The canvas around a grid: training leaves it out, so a model says anything there."""
    vectors = fake_vectors()
    predictions = vectors.predictions.copy()
    predictions[:, :, 70:] = 3
    labels = vectors.labels.copy()
    labels[:, 70:] = 0
    around = replace(vectors, predictions=predictions, labels=labels)
    for adaptive in (False, True):
        answers = around.answers(adaptive=adaptive)
        np.testing.assert_array_equal(answers[:, :70], vectors.answers(adaptive=adaptive)[:, :70])
        assert (answers[:, 70:] == 0).all()
