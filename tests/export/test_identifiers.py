"""The run's own names of identifiers, against the weights and against another dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.logs import logged
from tests.toys import BASE, write_run
from trm_edge.errors import CheckpointError
from trm_edge.export.checkpoint import load_checkpoint

NAMES = ["<blank>", "a", "b"]  # as many as the toy has rows


def warnings_of(run: Path, data: Path | None = None) -> list[str]:
    with logged() as lines:
        load_checkpoint(run, None, data)
    return [line for line in lines if line.startswith("warning: ")]


def names_in(folder: Path, names: object) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "identifiers.json").write_text(json.dumps(names))


def test_the_run_s_own_names(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    assert warnings_of(path) == []
    names_in(tmp_path / "run", NAMES)
    assert warnings_of(path) == []
    names_in(tmp_path / "run", NAMES[:2])
    (line,) = warnings_of(path)
    assert "has 2 names, but the weights have 3 rows" in line


def test_a_dataset_that_numbers_otherwise(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    names_in(tmp_path / "run", NAMES)
    names_in(tmp_path / "data", NAMES)
    assert warnings_of(path, tmp_path / "data") == []
    names_in(tmp_path / "data", ["<blank>", "b", "c", "d"])
    (line,) = warnings_of(path, tmp_path / "data")
    assert "of 3 identifiers, 2 stand for another puzzle, and 1 are in one of the two" in line


@pytest.mark.parametrize("names", [{"a": 1}, [1, 2], "a"])
def test_what_is_not_a_list_of_names(names: object, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", BASE)
    names_in(tmp_path / "run", names)
    with pytest.raises(CheckpointError, match="is not a list of names"):
        load_checkpoint(path)
