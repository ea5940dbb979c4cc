"""Tasks to solve come from files and folders of every kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.arc.tasks import PAIR, TASK, write_json
from trm_edge.arc.asked_tasks import read_asked_tasks
from trm_edge.errors import PuzzleError

UNANSWERED = {**TASK, "test": [{"input": [[4, 5]]}]}


def names(path: Path) -> list[str]:
    return [task.name for task in read_asked_tasks(path).tasks]


def test_files_and_folders(tmp_path: Path) -> None:
    one = write_json(tmp_path / "tasks" / "one.json", TASK)
    write_json(tmp_path / "tasks" / "two.json", TASK)
    several = write_json(tmp_path / "several.json", {"a": TASK, "b": TASK})
    assert names(one) == ["one"]
    assert names(one.parent) == ["one", "two"]
    assert names(several) == ["a", "b"]
    assert read_asked_tasks(several).answered


def test_solutions_are_found_beside_the_challenges(tmp_path: Path) -> None:
    path = write_json(tmp_path / "my-arc_evaluation_challenges.json", {"a": UNANSWERED})
    assert not read_asked_tasks(path).answered
    write_json(tmp_path / "my-arc_evaluation_solutions.json", {"a": [[[5, 4]]]})
    for source in (path, tmp_path):
        asked = read_asked_tasks(source)
        assert asked.answered
        assert asked.tasks[0].tests[0].answer().tolist() == [[5, 4]]


def test_a_folder_with_several_challenges(tmp_path: Path) -> None:
    for subset in ("training", "evaluation"):
        write_json(tmp_path / f"arc_{subset}_challenges.json", {"a": TASK})
    with pytest.raises(PuzzleError, match=r"several files of tasks: arc_evaluation_challenges"):
        read_asked_tasks(tmp_path)


def test_a_dataset(golden: Path, tmp_path: Path) -> None:
    asked = read_asked_tasks(golden / "dataset")
    assert asked.names is not None
    assert {task.name for task in asked.tasks} <= set(asked.names)
    # Unknown outputs stand as [[0]] in a dataset.
    copied = Path(shutil.copytree(golden / "dataset", tmp_path / "copy"))
    write_json(copied / "test_puzzles.json", {"a": {**TASK, "test": [{**PAIR, "output": [[0]]}]}})
    assert not read_asked_tasks(copied).answered


def test_tasks_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    wide = {"train": [PAIR], "test": [{"input": [[1] * 31]}]}
    path = write_json(tmp_path / "tasks.json", {"a": TASK, "b": wide, "c": {"train": [PAIR]}})
    asked = read_asked_tasks(path)
    assert [task.name for task in asked.tasks] == ["a"]
    assert [str(problem).removeprefix(f"{path}: ") for problem in asked.problems] == [
        "task b: the input of test input 1: row 1 has 31 cells, and at most 30 are allowed.",
        "task c: it has no 'test'.",
    ]


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="does not exist"):
        read_asked_tasks(tmp_path / "absent.json")
    with pytest.raises(PuzzleError, match="has no task that can be used"):
        read_asked_tasks(tmp_path)
