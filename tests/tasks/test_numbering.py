"""Rows of a dataset's identifiers: the same numbers, or found by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.logs import logged
from tests.toys import BASE, toy_tokens
from trm_edge.errors import PuzzleError
from trm_edge.identifiers import RowNames
from trm_edge.tasks.base import BadLine, Entry, Task, UnknownIdentifier
from trm_edge.tasks.tokens import TokenTask

OWN = ["<blank>", "a", "b"]  # as many as the toy has rows


def task_with(names: list[str] | None = OWN) -> Task:
    return TokenTask(BASE).with_row_names(RowNames(lambda: names))


def dataset(folder: Path, identifiers: list[int], names: object = None, count: int = 0) -> Path:
    (folder / "test").mkdir(parents=True)
    tokens = toy_tokens(BASE, len(identifiers)).astype(np.uint8)
    np.save(folder / "test/all__inputs.npy", tokens)
    np.save(folder / "test/all__puzzle_identifiers.npy", np.array(identifiers, np.int32))
    if names is not None:
        (folder / "identifiers.json").write_text(json.dumps(names))
    if count:
        metadata = {"num_puzzle_identifiers": count}
        (folder / "test/dataset.json").write_text(json.dumps(metadata))
    return folder


def rows_of(task: Task, folder: Path) -> list[int | str]:
    """The row of each puzzle, or why it has none."""
    rows: list[int | str] = []
    for item in task.read(folder):
        if isinstance(item, Entry):
            rows.append(item.puzzle.identifier)
        else:
            assert isinstance(item, BadLine)
            rows.append(item.reason)
    return rows


def test_the_same_names_keep_their_numbers(tmp_path: Path) -> None:
    with logged() as lines:
        assert rows_of(task_with(), dataset(tmp_path / "d", [0, 1, 2], OWN)) == [0, 1, 2]
    assert lines == []


@pytest.mark.parametrize("part", ["", "test"])
def test_other_numbers_are_found_by_name(part: str, tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", [1, 2, 0, 1], ["<blank>", "b", "a"]) / part
    task = task_with()
    with logged() as lines:
        assert rows_of(task, folder) == [2, 1, 0, 2]
        assert rows_of(task, folder) == [2, 1, 0, 2]
    (line,) = lines  # once for a folder
    assert "numbers its puzzles otherwise than the model: 2 of 3 are found by name" in line


def test_a_name_without_a_row(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", [1, 2, 3], ["<blank>", "new\x1b[2J", "a"])
    with logged() as lines:
        first, second, third = task_with().read(folder)
    assert isinstance(first, UnknownIdentifier)
    assert r"the model has no row for new\x1b[2J (identifier 1 of" in first.reason
    assert isinstance(second, Entry)
    assert second.puzzle.identifier == 1
    assert isinstance(third, UnknownIdentifier)
    assert third.reason.endswith("has 3 names, but got 3")
    assert any("the model has no row for 1 of them" in line for line in lines)


@pytest.mark.parametrize(
    ("names", "count", "own"),
    [
        (None, 4, OWN),  # the dataset has no names
        (None, 4, None),
        (["<blank>", "a", "b", "c"], 0, None),  # the model has none
    ],
)
def test_without_names_another_count_is_warned_about(
    names: object, count: int, own: list[str] | None, tmp_path: Path
) -> None:
    folder = dataset(tmp_path / "d", [0, 2, 3], names, count)
    with logged() as lines:
        first, second, third = rows_of(task_with(own), folder)
    assert (first, second) == (0, 2)
    assert third == "puzzle identifier must lie in 0..2, but got 3"
    (line,) = lines
    assert line.startswith("warning: ")
    assert "numbers 4 puzzles, but the model has 3 rows" in line


@pytest.mark.parametrize(("names", "count"), [(None, 0), (None, 3), (None, 1), (OWN, 3)])
def test_without_names_the_numbers_are_rows(names: object, count: int, tmp_path: Path) -> None:
    with logged() as lines:
        assert rows_of(task_with(None), dataset(tmp_path / "d", [2, 1], names, count)) == [2, 1]
    assert lines == []


@pytest.mark.parametrize("own", [OWN, None])
@pytest.mark.parametrize("names", ["a", [1], {"a": 1}, ["a", "a"]])
def test_a_dataset_s_names_that_are_none(
    names: object, own: list[str] | None, tmp_path: Path
) -> None:
    folder = dataset(tmp_path / "d", [1], names)
    with pytest.raises(PuzzleError, match=r"identifiers\.json does not name the puzzles: "):
        rows_of(task_with(own), folder)


def test_a_damaged_count_is_no_obstacle(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", [1])
    (folder / "test/dataset.json").write_text("[")
    assert rows_of(task_with(), folder) == [1]
