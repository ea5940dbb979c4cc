"""Only the rows of some tasks are exported, under their names, and everything else agrees."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import failed, run
from tests.logs import logged
from tests.toys import BASE, toy_tokens, write_run
from trm_edge.bundle import Bundle
from trm_edge.errors import CheckpointError, PuzzleError
from trm_edge.export.checkpoint import Checkpoint, load_checkpoint
from trm_edge.export.row_selection import read_selection, select_rows, task_parser

NAMES = [
    "<blank>",
    "a",
    "a|||t3|||0192837465",
    "b",
    "b|||t1|||0123456789",
    "c",
    "ab",
    "ab|||t2|||0123456789",
]
TASK: dict[str, list[object]] = {"train": [], "test": []}


def checkpoint_with(folder: Path, names: list[str] | None = NAMES) -> Checkpoint:
    config = replace(BASE, num_puzzle_identifiers=len(NAMES))
    path = write_run(folder, config)
    if names is not None:
        (folder / "identifiers.json").write_text(json.dumps(names))
    return load_checkpoint(path)


def tasks_file(folder: Path, *tasks: str) -> Path:
    path = folder / "tasks.json"
    path.write_text(json.dumps(dict.fromkeys(tasks, TASK)))
    return path


def test_rows_of_tasks_and_their_augmentations(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path / "run")
    selected = select_rows(checkpoint, read_selection(tasks_file(tmp_path, "c", "a")))
    assert selected.identifiers == [NAMES[0], NAMES[1], NAMES[2], NAMES[5]]
    assert selected.config.num_puzzle_identifiers == 4
    assert selected.model.config == selected.config
    assert selected.table_rows == len(NAMES)
    assert checkpoint.puzzle_embeddings is not None
    assert selected.puzzle_embeddings is not None
    expected = checkpoint.puzzle_embeddings[[0, 1, 2, 5]]
    np.testing.assert_array_equal(selected.puzzle_embeddings, expected)
    assert checkpoint.model.config.num_puzzle_identifiers == len(NAMES)  # it stays as it was


@pytest.mark.parametrize("form", ["single", "named", "folder"])
def test_files_of_single_tasks(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    path = folder / "b.json"
    path.write_text(json.dumps(TASK))
    if form == "named":
        path.write_text(json.dumps({**TASK, "name": "ab"}))
    if form == "folder":
        (folder / "c.json").write_text(json.dumps(TASK))
        path = folder
    expected = {"single": ("b",), "named": ("ab",), "folder": ("b", "c")}
    assert read_selection(path).tasks == expected[form]


def test_a_dataset_asks_for_its_own_names_alone(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path / "run")
    (tmp_path / "data").mkdir()
    names = ["<blank>", "ab|||t2|||0123456789", "a", "a|||t5|||0123456789"]
    (tmp_path / "data/identifiers.json").write_text(json.dumps(names))
    with logged() as lines:
        selected = select_rows(checkpoint, read_selection(tmp_path / "data"))
    assert selected.identifiers == [NAMES[0], NAMES[1], NAMES[7]]
    assert any(
        "no puzzle embedding for 1 of 4 augmented puzzles, such as a|||t5" in x for x in lines
    )
    file = read_selection(tmp_path / "data/identifiers.json")
    assert file.names == frozenset(names)


def test_names_of_hrm(tmp_path: Path) -> None:
    names = ["<blank>", "x_t3_0192837465", "x", "y_z", "y_z_t1_0123456789"]
    task_of = task_parser(names)
    assert [task_of(name) for name in names] == ["<blank>", "x", "x", "y_z", "y_z"]


def test_tasks_without_rows(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path / "run")
    path = tasks_file(tmp_path, "a", *(f"new{number}\x1b" for number in range(7)))
    message = (
        r"no puzzle embeddings for 7 of the 8 tasks in .*tasks\.json: new0\\x1b, .* and 2 more\. "
        r"It was not trained on them.*Take them out of the file"
    )
    with pytest.raises(CheckpointError, match=message):
        select_rows(checkpoint, read_selection(path))


def test_rows_without_names(tmp_path: Path) -> None:
    checkpoint = checkpoint_with(tmp_path / "run", None)
    selection = read_selection(tasks_file(tmp_path, "a"))
    with pytest.raises(CheckpointError, match=r"of the 8 puzzle embeddings .* are not known"):
        select_rows(checkpoint, selection)
    with pytest.raises(CheckpointError, match="does not tell puzzles apart"):
        select_rows(replace(checkpoint, puzzle_embeddings=None), selection)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tasks.json", "{}", "names no task"),
        ("tasks.json", "[1]", "must hold a JSON object, but holds a list"),
        ("tasks.json", "{", "holds no tasks: it is not valid JSON"),
        ("identifiers.json", '["<blank>"]', "names no puzzle"),
        ("identifiers.json", "{}", "does not name puzzles: it is not a list of names"),
        ("none.json", None, "does not exist"),
    ],
)
def test_what_names_no_tasks(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(PuzzleError, match=message):
        read_selection(tmp_path / name)


def dataset(folder: Path, count: int) -> Path:
    (folder / "test").mkdir(parents=True)
    tokens = toy_tokens(BASE, count).astype(np.uint8)
    np.save(folder / "test/all__inputs.npy", tokens)
    np.save(folder / "test/all__labels.npy", np.maximum(tokens, 1))
    identifiers = np.arange(1, count + 1, dtype=np.int32)
    np.save(folder / "test/all__puzzle_identifiers.npy", identifiers)
    metadata = {"seq_len": 9, "vocab_size": 7, "num_puzzle_identifiers": len(NAMES)}
    (folder / "test/dataset.json").write_text(json.dumps(metadata))
    (folder / "identifiers.json").write_text(json.dumps(NAMES))
    return folder


@pytest.mark.parametrize("rows", [(), ("--int8-rows",)])
def test_the_bundle_solves_those_tasks_alone(rows: tuple[str, ...], tmp_path: Path) -> None:
    checkpoint_with(tmp_path / "run")
    data = dataset(tmp_path / "data", len(NAMES) - 1)
    tasks = tasks_file(tmp_path, "c", "ab")
    common = ("--fp32", "--task", "tokens", "--dataset", data)
    options = (*common, "--identifiers", tasks, *rows, "-o", tmp_path / "some")
    result = run("export", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    bundle = Bundle.open(tmp_path / "some")
    assert bundle.config.num_puzzle_identifiers == 4
    assert bundle.identifiers() == [NAMES[0], *NAMES[5:]]
    assert bundle.parity().identifiers.tolist() == [1, 2, 3]
    assert bundle.manifest.rows is not None
    assert bundle.manifest.rows.checkpoint_rows == len(NAMES)
    assert "4 x 32 of the checkpoint's 8" in " ".join(run("inspect", bundle.path).stdout.split())
    if not rows:
        whole = run("export", tmp_path / "run", *common, "-o", tmp_path / "all")
        assert whole.exit_code == 0, whole.output
        expected = run("solve", tmp_path / "all", data, "--format", "json").stdout.splitlines()
        actual = run("solve", bundle.path, data, "--format", "json")
        assert actual.exit_code == 1  # the others are named
        assert "the model has no row for b" in actual.stderr
        answers = [json.loads(line).get("answer") for line in actual.stdout.splitlines()]
        all_answers = [json.loads(line)["answer"] for line in expected]
        assert [answer for answer in answers if answer] == all_answers[4:]
    # Another target has the same rows.
    added = run("export", tmp_path / "run", "--into", bundle.path, "--target", "l4")
    assert added.exit_code == 0, added.output
    again = Bundle.open(tmp_path / "some")
    assert again.manifest.rows == bundle.manifest.rows
    assert set(again.manifest.targets) == {"cpu", "l4"}


def test_into_does_not_change_the_rows(toy_bundle: Path) -> None:
    result = run("export", "--into", toy_bundle, "--target", "l4", "--int8-rows")
    failed(result, "does not go with --int8-rows", code=2)
