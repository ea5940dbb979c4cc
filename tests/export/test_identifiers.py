"""The names of a checkpoint's rows: the run's own, or else those of its dataset."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.logs import logged
from tests.toys import BASE, write_run
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.export.identifiers import find_identifiers

NAMES = ["<blank>", "a", "b"]  # as many as the toy has rows
ROWS = BASE.num_puzzle_identifiers


def names_in(folder: Path, names: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "identifiers.json"
    path.write_text(json.dumps(names))
    return path


def test_the_run_s_own_names_come_first(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    assert load_checkpoint(path).identifiers is None
    names_in(tmp_path / "data", ["<blank>", "b", "a"])
    names_in(tmp_path / "run", NAMES)
    with logged() as lines:
        checkpoint = load_checkpoint(path, None, tmp_path / "data")
    assert checkpoint.identifiers == NAMES
    assert any(str(tmp_path / "run" / "identifiers.json") in line for line in lines)


@pytest.mark.parametrize("given", ["", "train", "test", "train/dataset.json"])
def test_without_them_those_of_the_dataset(given: str, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    data = tmp_path / "data"
    names_in(data, NAMES)
    for split in ("train", "test"):
        (data / split).mkdir()
        (data / split / "dataset.json").write_bytes((tmp_path / "run/dataset.json").read_bytes())
    assert load_checkpoint(path, None, data / given).identifiers == NAMES


def test_lightning_s_folder_lies_in_the_run_s(tmp_path: Path) -> None:
    names_in(tmp_path / "run", NAMES)
    weights = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert find_identifiers(weights, None, ROWS) == NAMES


def test_names_of_another_run_are_left_out(tmp_path: Path) -> None:
    weights = tmp_path / "run" / "step_1"
    path = names_in(tmp_path / "run", NAMES[:2])
    with logged() as lines:
        assert find_identifiers(weights, None, ROWS) is None
    (line,) = lines
    assert f"{path} has 2 names, but the weights have 3 rows" in line
    names_in(tmp_path / "data", [*NAMES, "c"])
    assert find_identifiers(weights, tmp_path / "data", ROWS) is None


def test_a_single_row_has_no_name(tmp_path: Path) -> None:
    names_in(tmp_path, ["<blank>"])
    with logged() as lines:
        assert find_identifiers(tmp_path / "step_1", None, 1) is None
    assert lines == []


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"a": 1}, "it is not a list of names"),
        ([1, 2, 3], "it is not a list of names"),
        ("a", "it is not a list of names"),
        (["<blank>", "a", "a"], "a is there twice, at 1 and 2"),
    ],
)
def test_what_is_not_a_list_of_names(names: object, reason: str, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    names_in(tmp_path / "run", names)
    with pytest.raises(CheckpointError, match=rf"identifiers\.json does not name .*: {reason}"):
        load_checkpoint(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = names_in(tmp_path, NAMES)
    os.truncate(path, 1 << 30)  # sparse
    with pytest.raises(CheckpointError, match="bytes, and at most 134217728 are read"):
        find_identifiers(tmp_path / "step_1", None, ROWS)


def test_a_checkpoint_without_a_table_has_no_names(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", replace(BASE, puzzle_emb_ndim=0, puzzle_emb_len=0))
    names_in(tmp_path / "run", NAMES)
    assert load_checkpoint(path).identifiers is None
