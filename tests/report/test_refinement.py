from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.report.samples import refinement
from trm_edge.backends.fake import FakeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.report.player import player
from trm_edge.report.refinement import refine
from trm_edge.tasks.sudoku import SudokuTask


def test_a_toy_puzzle_is_played_as_the_loop_solved_it(toy_bundle: Path) -> None:
    bundle = Bundle.open(toy_bundle)
    one = refine(bundle, "cpu", "toy")
    vectors = bundle.parity()
    assert one.puzzle == tuple(vectors.tokens[one.number - 1].tolist())
    assert 1 <= len(one.steps) == len(one.confidence) <= bundle.config.halt_max_steps
    assert all(len(step) == bundle.config.seq_len for step in one.steps)
    assert one.columns == 3
    assert one == refine(bundle, "cpu", "toy")  # the same every time


class FakeBundle:
    """Sudokus that a made-up model copies; it stops where and when ``plan`` says."""

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
    from tests.evaluation.samples import fake_vectors

    return FakeBundle(fake_vectors())


def test_the_right_puzzle_with_the_most_steps_is_taken(fake: FakeBundle) -> None:
    vectors = fake.vectors
    one = refine(fake, "cpu", "fake")  # type: ignore[arg-type]
    right = (vectors.answers(adaptive=True) == vectors.labels).all(1)
    assert one.right is True
    assert right[one.number - 1]
    assert len(one.steps) == vectors.halting_steps[right].max()


def test_where_none_is_right_it_says_so(fake: FakeBundle) -> None:
    wrong = (fake.vectors.labels + 1) % 11
    fake.vectors = replace(fake.vectors, labels=wrong.astype(np.uint8))
    one = refine(fake, "cpu", "fake")  # type: ignore[arg-type]
    assert one.right is False
    assert "its answer is not right" in player(one, 0).markup.html


def test_changes_are_counted_from_the_puzzle_on() -> None:
    one = refinement("tokens")
    for step in range(1, 5):
        before = one.steps[step - 2] if step > 1 else one.puzzle
        differ = np.flatnonzero(np.array(before) != np.array(one.steps[step - 1]))
        assert one.changed(step) == differ.tolist()


@pytest.mark.parametrize(("task", "cells"), [("sudoku", 81), ("maze", 169), ("tokens", 9)])
def test_a_board_has_a_cell_for_each_token(task: str, cells: int) -> None:
    played = player(refinement(task), 3)
    board = played.markup.html.partition('class="board')[2].partition("</div>")[0]
    assert board.count("<span") == cells
    assert 'id="refinement-3"' in played.markup.html
    assert len(played.data["steps"]) == len(played.data["changed"]) == 4
