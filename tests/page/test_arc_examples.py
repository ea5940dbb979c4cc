"""The ARC tasks of a page, their rows, and what the bundle knows of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arc.tasks import TASK, write_json
from tests.arc.toy_bundle import TASKS, write_bundle
from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.encoding import encode
from trm_edge.bundle import Bundle
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.page import arc_examples as module
from trm_edge.page.arc_examples import arc_examples
from trm_edge.tasks.arc import ArcAgiTask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has ``bundle``, of the toy tasks, and their file."""
    folder = tmp_path_factory.mktemp("arc")
    write_bundle(folder)
    return folder


def opened(folder: Path) -> Bundle:
    return Bundle.open(folder / "bundle")


def names(bundle: Bundle) -> list[str]:
    known = bundle.identifiers()
    assert known is not None
    return list(known)


def test_tasks_have_their_grids_and_the_rows_of_their_variants(folder: Path) -> None:
    bundle = opened(folder)
    examples = arc_examples(bundle, folder / "tasks.json")
    assert [task["name"] for task in examples.tasks] == ["a", "b"]
    for task in examples.tasks:
        source: Mapping[str, Any] = TASKS[task["name"]]
        assert task["demonstrations"] == source["train"]
        tests = [{key: test[key] for key in ("input", "output")} for test in task["tests"]]
        assert tests == source["test"]
    table = bundle.puzzle_embeddings()
    assert table is not None
    assert examples.rows is not None
    assert len(examples.rows) == 6
    for task in examples.tasks:
        assert task["variants"][0][:2] == [0, "0123456789"]
        for transform, colours, place in task["variants"]:
            matches = []
            for row, name in enumerate(names(bundle)[1:], 1):
                known = parse_name(name)
                if (known.task, known.augmentation.transform, known.augmentation.permutation) == (
                    task["name"],
                    transform,
                    colours,
                ):
                    matches.append(row)
            assert len(matches) == 1
            assert np.array_equal(examples.rows[place], table[matches[0]])


def test_fewer_variants_need_fewer_rows(folder: Path) -> None:
    examples = arc_examples(opened(folder), folder / "tasks.json", augmentations=0)
    assert [len(task["variants"]) for task in examples.tasks] == [1, 1]
    assert examples.rows is not None
    assert len(examples.rows) == 2


def test_the_outcome_is_that_of_the_held_out_puzzles(folder: Path) -> None:
    bundle = opened(folder)
    vectors = bundle.parity()
    examples = arc_examples(bundle, folder / "tasks.json")
    right = (vectors.answers(adaptive=True) == vectors.labels).all(1)
    for task in examples.tasks:
        row = names(bundle).index(task["name"])
        for test in task["tests"]:
            tokens = encode(np.array(test["input"], np.uint8))
            matches = (vectors.identifiers == row) & (vectors.tokens == tokens).all(1)
            (number,) = np.flatnonzero(matches)
            expected = [bool(right[number]), int(vectors.halting_steps[number])]
            assert test["outcome"] == expected
    unknown = {"a": {**TASK, "test": [{"input": [[7, 7, 7]]}]}}
    examples = arc_examples(bundle, write_json(folder / "unknown.json", unknown))
    assert examples.tasks[0]["tests"] == [
        {"input": [[7, 7, 7]], "output": None, "outcome": None},
    ]


def test_held_out_puzzles_are_the_tasks_where_none_are_named(folder: Path) -> None:
    by_default = {}
    for task in arc_examples(opened(folder)).tasks:
        assert task["demonstrations"] == []
        by_default[task["name"]] = task["tests"]
    named = arc_examples(opened(folder), folder / "tasks.json").tasks
    assert by_default == {task["name"]: task["tests"] for task in named}


def test_the_bundled_tasks_are_shown_where_the_bundle_has_rows_for_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = folder / "dataset" / "test"
    monkeypatch.setattr(ArcAgiTask, "bundled_puzzles", lambda self, split: questions)
    assert (
        arc_examples(opened(folder)).tasks == arc_examples(opened(folder), folder / "dataset").tasks
    )
    tasks = write_json(folder / "more" / "test_puzzles.json", {**TASKS, "x": TASK})
    write_json(tasks.with_name("identifiers.json"), names(opened(folder)))
    questions = tasks.parent / "test"
    assert [task["name"] for task in arc_examples(opened(folder)).tasks] == ["a", "b"]


def test_a_held_out_puzzle_of_a_variant_is_turned_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = opened(folder)
    row = next(row for row, name in enumerate(names(bundle)) if name.startswith("a|||t"))
    augmentation = parse_name(names(bundle)[row]).augmentation
    vectors = bundle.parity().first(1)
    tokens = encode(augmentation.apply(np.array([[4, 5]], np.uint8)))
    changed = replace(
        vectors,
        tokens=tokens[np.newaxis],
        labels=encode(augmentation.apply(np.array([[5, 4]], np.uint8)))[np.newaxis],
        identifiers=np.array([row], np.int32),
    )
    monkeypatch.setattr(Bundle, "parity", lambda self: changed)
    (task,) = arc_examples(bundle).tasks
    assert task["name"] == "a"
    assert task["tests"] == [{"input": [[4, 5]], "output": [[5, 4]], "outcome": None}]


def test_tasks_without_a_row_are_named(folder: Path) -> None:
    tasks = write_json(folder / "others.json", {"a": TASK, "x": TASK, "y": TASK})
    with pytest.raises(PuzzleError, match=r"no row for 2 of 3 tasks: x, y\. .*trm-edge adapt"):
        arc_examples(opened(folder), tasks)


def test_a_dataset_names_the_rows_where_the_bundle_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = arc_examples(opened(folder), folder / "dataset").tasks
    monkeypatch.setattr(Bundle, "identifiers", lambda self: None)
    with pytest.raises(PuzzleError, match=r"does not say which task .* folder of the dataset"):
        arc_examples(opened(folder))
    assert arc_examples(opened(folder), folder / "dataset").tasks == expected


def test_a_task_that_cannot_be_used_is_named(folder: Path) -> None:
    tasks = write_json(folder / "broken.json", {"a": TASK, "z": {"train": TASK["train"]}})
    with pytest.raises(PuzzleError, match=r"1 task cannot be used\. .*task z: it has no 'test'"):
        arc_examples(opened(folder), tasks)


def test_too_many_tasks_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TASKS", 1)
    with pytest.raises(ConfigError, match=r"at most 1 ARC tasks, but .*tasks\.json has 2"):
        arc_examples(opened(folder), folder / "tasks.json")


def test_another_task_has_no_arc_tasks(old_bundles: Path) -> None:
    with pytest.raises(ConfigError, match=r"is sudoku\. Leave --tasks out"):
        arc_examples(Bundle.open(old_bundles / "toy-fp32"))


def test_the_tasks_are_json(folder: Path) -> None:
    examples = arc_examples(opened(folder), folder / "tasks.json")
    assert json.loads(json.dumps(examples.tasks)) == examples.tasks
