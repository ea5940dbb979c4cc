"""Tasks are checked pair by pair."""

from __future__ import annotations

from typing import Any

import pytest

from tests.arc.tasks import PAIR, TASK
from trm_edge.arc.task import TaskError, TaskProblem, parse_task


def test_a_task_keeps_the_order_of_its_file() -> None:
    reversed_task = {"test": TASK["test"], "name": "x", "train": TASK["train"]}
    task = parse_task("a", reversed_task)
    assert list(task.pairs) == ["test", "train"]
    assert task.to_json() == {"test": TASK["test"], "train": TASK["train"]}
    assert [len(task.demonstrations), len(task.tests)] == [2, 1]


def test_solutions_replace_outputs() -> None:
    task = parse_task("a", TASK, [[[9]]])
    assert task.tests[0].answer().tolist() == [[9]]
    unknown = parse_task("a", {"train": [PAIR], "test": [{"input": [[1]]}]})
    assert unknown.tests[0].output is None
    assert unknown.tests[0].answer().tolist() == [[0]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "must be an object"),
        ({"train": [PAIR]}, "no 'test'"),
        ({"test": [PAIR]}, "no 'train'"),
        ({"train": [PAIR], "test": []}, "no test input"),
        ({"train": [], "test": [PAIR]}, "no demonstration"),
        ({"train": [PAIR], "test": PAIR}, "no test input"),
        ({"train": [PAIR] * 1001, "test": [PAIR]}, "1001 demonstrations"),
        ({"train": [{"input": [[1]]}], "test": [PAIR]}, "demonstration 1 has no 'output'"),
        ({"train": [PAIR], "test": [PAIR, 3]}, "test input 2 has no 'input'"),
        (
            {"train": [PAIR], "test": [{"input": [[1, 1], [1]]}]},
            "the input of test input 1: row 2 has 1 cells",
        ),
    ],
)
def test_what_is_no_task(value: Any, reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        parse_task("a", value)


@pytest.mark.parametrize("name", ["", "a|||b", "x" * 201])
def test_names_that_could_not_be_augmented(name: str) -> None:
    with pytest.raises(TaskError, match="its name"):
        parse_task(name, TASK)


def test_as_many_solutions_as_test_inputs() -> None:
    with pytest.raises(TaskError, match="1 test inputs, but 2 solutions"):
        parse_task("a", TASK, [[[1]], [[1]]])


def test_a_problem_names_its_place() -> None:
    assert str(TaskProblem("f.json", "a", "it is blue")) == "f.json: task a: it is blue."
    assert str(TaskProblem("f.json", "", "it is blue")) == "f.json: it is blue."
    assert str(TaskProblem("", "", "f.json is blue")) == "f.json is blue."
