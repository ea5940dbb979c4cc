"""Both scores, and what happens to tasks that cannot be scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.arc.tasks import write_json
from trm_edge.arc.scoring import score_places, score_submission
from trm_edge.errors import PuzzleError


def entry(first: int, second: int) -> dict[str, Any]:
    return {"attempt_1": [[first]], "attempt_2": [[second]]}


def test_the_rules_differ_on_tasks_with_several_inputs() -> None:
    scores = score_places({"a": [0], "b": [1, None, 0]}, [1, 2])
    assert scores.published == {"pass@1": (1 + 1 / 3) / 2, "pass@2": (1 + 2 / 3) / 2}
    assert scores.competition == {"pass@1": 2 / 4, "pass@2": 3 / 4}
    assert scores.whole_tasks == {"pass@1": 1 / 2, "pass@2": 1 / 2}


def test_a_submission(tmp_path: Path) -> None:
    submission = {"a": [entry(1, 2)], "b": [entry(9, 3), entry(9, 9)]}
    solutions = {"a": [[[1]]], "b": [[[3]], [[4]]]}
    answers = write_json(tmp_path / "submission.json", submission)
    outputs = write_json(tmp_path / "solutions.json", solutions)
    score, problems = score_submission(answers, outputs)
    assert not problems
    assert (score.tasks, score.outputs, score.unusable) == (2, 3, 0)
    assert score.scores.published == {"pass@1": 0.5, "pass@2": 0.75}
    assert score.scores.competition == {"pass@1": 1 / 3, "pass@2": 2 / 3}


def test_whole_tasks_have_the_outputs_too(tmp_path: Path) -> None:
    answers = write_json(tmp_path / "submission.json", {"a": [entry(1, 2)]})
    pair = {"input": [[5]], "output": [[2]]}
    puzzles = write_json(tmp_path / "test_puzzles.json", {"a": {"train": [pair], "test": [pair]}})
    score, _ = score_submission(answers, puzzles)
    assert score.scores.published == {"pass@1": 0.0, "pass@2": 1.0}


def test_what_cannot_be_scored_counts_as_wrong_and_is_named(tmp_path: Path) -> None:
    submission = {"a": [entry(1, 2)], "short": [entry(1, 1)], "broken": 3, "foreign": [entry(1, 1)]}
    solutions = {
        "a": [[[1]]],
        "short": [[[1]], [[1]]],
        "broken": [[[1]]],
        "missing": [[[1]]],
        "blue": [[[12]]],
    }
    answers = write_json(tmp_path / "submission.json", submission)
    outputs = write_json(tmp_path / "solutions.json", solutions)
    score, problems = score_submission(answers, outputs)
    assert score.scores.published["pass@2"] == 1 / 4
    text = "\n".join(map(str, problems))
    for reason in (
        "task broken: it must be a list",
        "task blue: the output of test input 1: row 1 holds 12",
        "task foreign: it has no solution",
        "task short: it has 1 entries for 2 test outputs",
        "task missing: it is missing",
    ):
        assert reason in text
    assert len(problems) == score.unusable == 5


def test_a_submission_of_another_set(tmp_path: Path) -> None:
    answers = write_json(tmp_path / "submission.json", {"a": [entry(1, 1)]})
    outputs = write_json(tmp_path / "solutions.json", {"b": [[[1]]]})
    with pytest.raises(PuzzleError, match="have no task in common"):
        score_submission(answers, outputs)
