from __future__ import annotations

import numpy as np

from tests.evaluation.samples import fake_puzzles, fake_vectors
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.evaluation.recording import record_vectors
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


def test_the_fake_backend_halts_at_many_depths() -> None:
    assert len(set(fake_vectors().halting_steps.tolist())) > 5
    assert FAKE_CONFIG.halt_max_steps == 16
