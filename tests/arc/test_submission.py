"""Submissions are complete, and checked when they are written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arc.tasks import write_json
from trm_edge.arc.submission import (
    PLACEHOLDER,
    SubmissionError,
    build_submission,
    read_submission,
    write_submission,
)
from trm_edge.arc.votes import Candidate

GOOD = {"attempt_1": [[1]], "attempt_2": []}


def candidate(cells: list[list[int]]) -> Candidate:
    return Candidate(np.array(cells, np.uint8), 1, 0.5)


def test_two_attempts_for_every_test_input() -> None:
    empty = Candidate(np.zeros((0, 0), np.uint8), 1, 0.5)
    inputs = [[candidate([[1]]), empty, candidate([[3]])], [candidate([[4]])], []]
    submission = build_submission({"a": inputs, "b": [[]]})
    blank = {"attempt_1": PLACEHOLDER, "attempt_2": PLACEHOLDER}
    assert submission == {
        "a": [GOOD, {"attempt_1": [[4]], "attempt_2": [[4]]}, blank],
        "b": [blank],
    }


def test_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "out" / "submission.json"
    write_submission(path, {"a": [GOOD]})
    assert read_submission(path) == ({"a": [GOOD]}, [])
    with pytest.raises(SubmissionError):
        write_submission(path, {"a": [{}]})
    assert read_submission(path).tasks == {"a": [GOOD]}


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        (3, "must be a list"),
        ([3], "entry 1 must be an object"),
        ([GOOD, {"attempt_1": [[1]]}], "entry 2 has no 'attempt_2'"),
        ([{**GOOD, "attempt_2": [[10]]}], "attempt_2 of entry 1: row 1 holds 10"),
        ([{**GOOD, "attempt_1": [[1], [1, 2]]}], "attempt_1 of entry 1: row 2 has 2 cells"),
        ([{**GOOD, "attempt_1": None}], "attempt_1 of entry 1"),
    ],
)
def test_a_wrong_task_leaves_the_others(entries: Any, reason: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "submission.json", {"good": [GOOD], "bad": entries})
    tasks, problems = read_submission(path)
    assert list(tasks) == ["good"]
    assert f"{path}: task bad: " in str(problems[0])
    assert reason in str(problems[0])
