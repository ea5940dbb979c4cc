"""Answers in a corner of the canvas, by the bundled ARC model."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="needs pip install 'trm-edge[export]'")

import numpy as np

from tests.tools.scripts import ROOT, TOOLS
from trm_edge.arc.crop import crop
from trm_edge.arc.encoding import CELLS, VOCAB_SIZE
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_checkpoint
from trm_edge.tasks.dataset import DatasetRow, read_dataset

DATASET = ROOT / "trm_edge/reference/puzzles/arc/test"
QUESTIONS = 6


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(TOOLS)
    import window_accuracy

    return window_accuracy


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return load_checkpoint(reference_checkpoint("arc"))


@pytest.fixture(scope="module")
def rows() -> list[DatasetRow]:
    return list(read_dataset(DATASET, CELLS, VOCAB_SIZE))[:QUESTIONS]


def test_on_the_whole_canvas_answers_are_those_of_the_solver(
    tool: Any, checkpoint: Checkpoint, rows: list[DatasetRow]
) -> None:
    one_step = HaltingRule.from_config(checkpoint.config, "fixed", max_steps=1)
    puzzles = [Puzzle(row.tokens, row.identifier) for row in rows]
    backend = TorchBackend(checkpoint.model)
    with Solver(backend, checkpoint.puzzle_embeddings, halting=one_step, batch=3) as solver:
        answers = [solution.answer for solution in solver.solve(puzzles, ordered=True)]
    expected = []
    for answer, row in zip(answers, rows, strict=True):
        assert row.labels is not None
        expected.append(np.array_equal(crop(answer), crop(row.labels)))
    assert tool.right_answers(checkpoint, rows, 30) == expected


def test_wrong_labels_are_counted_as_wrong(
    tool: Any, checkpoint: Checkpoint, rows: list[DatasetRow]
) -> None:
    right = tool.right_answers(checkpoint, rows, 11)
    assert any(right)
    changed = []
    for row in rows:
        assert row.labels is not None
        labels = row.labels.copy()
        labels[0] = (labels[0] + 1) % VOCAB_SIZE  # the first cell of the grid
        changed.append(row._replace(labels=labels))
    assert not any(tool.right_answers(checkpoint, changed, 11))


def test_a_side_beyond_the_canvas_is_refused(tool: Any) -> None:
    folders = [str(reference_checkpoint("arc")), str(DATASET)]
    result = CliRunner().invoke(tool.main, [*folders, "--side", "31"])
    assert result.exit_code == 2
    assert "31 is not in the range 1<=x<=30" in result.output
