"""A dataset folder says what it asks and what its rows are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.arc.tasks import TASK, write_json
from trm_edge.arc.test_set import read_test_set
from trm_edge.errors import PuzzleError


def test_the_published_folder(golden: Path) -> None:
    test_set = read_test_set(golden / "dataset")
    assert len(test_set.tasks) == 11
    assert len(test_set.names) == 128
    assert test_set.name(1).task == "28a6681f"
    with pytest.raises(PuzzleError, match=r"identifier 128, but .* has 128 names"):
        test_set.name(128)


def test_a_folder_of_hrm(golden: Path) -> None:
    """There is no test_puzzles.json; the tasks are those of the unaugmented rows."""
    test_set = read_test_set(golden / "hrm" / "dataset")
    assert sorted(test_set.tasks) == ["12997ef3", "Named1"]
    name = next(name for name in test_set.names if name.startswith("Named1_t"))
    assert test_set.name(test_set.names.index(name)).task == "Named1"
    source = golden / "hrm" / "source" / "data" / "evaluation" / "12997ef3.json"
    expected = json.loads(source.read_text())["test"]
    assert test_set.tasks["12997ef3"].to_json()["test"] == expected


def test_a_folder_without_names_or_tasks(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=r"there is no identifiers\.json"):
        read_test_set(tmp_path)
    write_json(tmp_path / "identifiers.json", {"a": 1})
    with pytest.raises(PuzzleError, match="does not name the rows"):
        read_test_set(tmp_path)
    write_json(tmp_path / "identifiers.json", ["<blank>", "a", "a|||x"])
    write_json(tmp_path / "test_puzzles.json", {"a": 1})
    with pytest.raises(PuzzleError, match="has no task that can be used"):
        read_test_set(tmp_path)
    write_json(tmp_path / "test_puzzles.json", {"a": TASK, "b": 1})
    test_set = read_test_set(tmp_path)
    assert list(test_set.tasks) == ["a"]
    assert "task b" in str(test_set.problems[0])
    with pytest.raises(PuzzleError, match="identifier 2: what follows"):
        test_set.name(2)


def test_a_folder_without_labels(golden: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    shutil.copytree(golden / "hrm" / "dataset", folder)
    (folder / "test" / "all__labels.npy").unlink()
    with pytest.raises(PuzzleError, match="no row of an unaugmented task with labels"):
        read_test_set(folder)
