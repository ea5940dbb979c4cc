from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.samples import fake_vectors
from tests.report.samples import refinement
from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.report.refinement import record_refinement
from trm_edge.tasks.sudoku import SudokuTask


def test_a_toy_puzzle_is_recorded_as_the_loop_solves_it(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    recorded = record_refinement(bundle, "cpu", "toy")
    tokens = bundle.parity().tokens[recorded.number - 1]
    assert recorded.puzzle == tuple(tokens.tolist())
    assert 1 <= len(recorded.steps) == len(recorded.confidence) <= bundle.config.halt_max_steps
    assert all(len(step) == bundle.config.seq_len for step in recorded.steps)
    assert recorded.columns == 3
    assert recorded == record_refinement(bundle, "cpu", "toy")


class FakeBundle:
    """Sudokus that a made-up model copies."""

    def __init__(self, vectors: ParityVectors) -> None:
        self.vectors = vectors
        self.config = FakeBackend().config

    def parity(self) -> ParityVectors:
        return self.vectors

    def task(self) -> SudokuTask:
        return SudokuTask(self.config)

    def puzzle_embeddings(self) -> None:
        return None

    def backend(self, target: str, *, threads: int) -> FakeBackend:
        return FakeBackend()


@pytest.fixture
def fake() -> FakeBundle:
    return FakeBundle(fake_vectors())


def test_the_correct_puzzle_with_the_most_steps_is_recorded(fake: FakeBundle) -> None:
    vectors = fake.vectors
    recorded = record_refinement(fake, "cpu", "fake")  # type: ignore[arg-type]
    right = (vectors.answers(adaptive=True) == vectors.labels).all(1)
    assert recorded.right is True
    assert right[recorded.number - 1]
    assert len(recorded.steps) == vectors.halting_steps[right].max()
    assert recorded.looks == fake.task().looks()


def test_a_wrong_answer_is_recorded_where_none_is_right(fake: FakeBundle) -> None:
    wrong = (fake.vectors.labels + 1) % 11
    fake.vectors = replace(fake.vectors, labels=wrong.astype(np.uint8))
    recorded = record_refinement(fake, "cpu", "fake")  # type: ignore[arg-type]
    assert recorded.right is False


def test_changes_are_counted_from_the_puzzle() -> None:
    recorded = refinement("tokens")
    before = recorded.puzzle
    for step, after in enumerate(recorded.steps, 1):
        changed = np.flatnonzero(np.array(before) != np.array(after))
        assert recorded.changed(step) == changed.tolist()
        before = after
