"""Two submissions are compared by what became of their tasks, and two runs grid by grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.arc.tasks import write_json
from tests.arc.voters import Arranged, Copier, parsed, voting_solver
from trm_edge.arc.comparison import compare_submissions
from trm_edge.errors import PuzzleError

SOLUTIONS = {"a": [[[1]], [[2]]], "b": [[[3]]], "c": [[[4]]]}


def entry(first: int, second: int) -> dict[str, Any]:
    return {"attempt_1": [[first]], "attempt_2": [[second]]}


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    return write_json(tmp_path / "solutions.json", SOLUTIONS)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    content = {"a": [entry(1, 9), entry(9, 2)], "b": [entry(3, 8)], "c": [entry(5, 6)]}
    return write_json(tmp_path / "reference" / "submission.json", content)


def test_what_is_lost_and_gained(reference: Path, solutions: Path, tmp_path: Path) -> None:
    content = {"a": [entry(9, 1), entry(7, 8)], "b": [entry(3, 7)], "c": [entry(4, 6)]}
    candidate = write_json(tmp_path / "candidate.json", content)
    result, problems = compare_submissions(reference.parent, candidate, solutions)
    assert problems == []
    assert (result.tasks, result.outputs) == (3, 4)
    assert result.reference_scores.published == {"pass@1": 0.5, "pass@2": 2 / 3}
    assert result.candidate_scores.published == {"pass@1": 2 / 3, "pass@2": 2.5 / 3}
    assert result.drop == pytest.approx(-100 / 6)
    assert (result.tasks_lost, result.tasks_gained) == (["a"], ["c"])
    assert (result.outputs_lost, result.outputs_gained) == (1, 1)
    assert result.p_value == 1
    assert result.same_first == 0.25  # b
    assert result.same_pair == 0.25  # the first of a, the other way round
    assert result.grids is None


def test_a_submission_against_itself(reference: Path, solutions: Path) -> None:
    result, _ = compare_submissions(reference, reference, solutions)
    assert (result.drop, result.same_first, result.same_pair) == (0, 1, 1)
    assert result.tasks_lost == result.tasks_gained == []


def test_tasks_that_are_missing(reference: Path, solutions: Path, tmp_path: Path) -> None:
    content = {"a": [entry(1, 1)], "b": [entry(3, 8)]}
    candidate = write_json(tmp_path / "candidate.json", content)
    result, problems = compare_submissions(reference, candidate, solutions)
    assert [problem.task for problem in problems] == ["a", "c"]
    assert result.unusable == 2
    assert result.tasks_lost == ["a"]


def test_solutions_of_others(reference: Path, tmp_path: Path) -> None:
    other = write_json(tmp_path / "other.json", {"x": [[[1]]]})
    with pytest.raises(PuzzleError, match="has no task that can be scored with these solutions"):
        compare_submissions(reference, reference, other)


class Colourless(Copier):
    """Answers everything with a grid of one cell."""

    def logits(self, slots: Any) -> Any:
        logits = super().logits(slots)
        logits[:] = 0
        logits[:, :, 0] = 1
        logits[:, 0, 0] = 0
        logits[:, 0, 2] = 1
        return logits


def test_runs_are_compared_grid_by_grid(tmp_path: Path) -> None:
    tasks = [parsed("a", [[[0]], [[1, 2]]]), parsed("b", [[[3], [4]]])]
    arranged = Arranged(tasks, variants=7)
    for name, backend in (("copier", Copier()), ("colourless", Colourless())):
        with voting_solver(backend) as solver:
            arranged.run(tmp_path / name).solve(solver)
    solutions = {task.name: [pair.answer().tolist() for pair in task.tests] for task in tasks}
    path = write_json(tmp_path / "solutions.json", solutions)
    itself = compare_submissions(tmp_path / "copier", tmp_path / "copier", path).result.grids
    assert itself is not None
    assert (itself.questions, itself.same) == (24, 1.0)
    assert itself.reference_right == itself.candidate_right > 0.5
    other = compare_submissions(tmp_path / "copier", tmp_path / "colourless", path).result.grids
    assert other is not None
    assert other.candidate_right == pytest.approx(1 / 3)  # the first input is its answer
    assert other.same <= 1 / 3
