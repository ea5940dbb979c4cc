"""The folder of a run: parts that fill up, and settings that have to stay."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arc.voters import SETTINGS, Arranged, parsed
from trm_edge.arc import run_folder
from trm_edge.arc.encoding import encode
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.run_folder import RunFolder, RunRecord, RunSettings, part_paths
from trm_edge.errors import OutputExistsError, RecordError

ARRANGED = Arranged([parsed("a", [[[1, 2]]])])
RECORD = RunRecord(SETTINGS, 1, 13, 0, 0, complete=False)
# Another value of every setting.
OTHERS: dict[str, Any] = {
    "version": "9",
    "bundle": "c" * 64,
    "target": "l4",
    "halting": "fixed, 16 steps",
    "augmentations": 3,
    "until_decided": 0.99,
    "leaders": "first",
    "votes_by": "sum",
    "questions": "d" * 64,
}


def folder_at(path: Path) -> RunFolder:
    return RunFolder(path, ARRANGED.test_set(path), are_known=True, grids=10)


def answers(count: int) -> Predictions:
    tokens = np.tile(encode(np.array([[1, 2]], np.uint8)), (count, 1))
    return Predictions(np.arange(count), tokens, tokens, np.zeros(count))


@pytest.mark.parametrize("name", [entry.name for entry in fields(RunSettings)])
def test_every_other_setting_is_refused_and_named(name: str, tmp_path: Path) -> None:
    folder = folder_at(tmp_path / "run")
    folder.open(RECORD)
    folder.append(answers(1))
    settings = replace(SETTINGS, **{name: OTHERS[name]})
    with pytest.raises(OutputExistsError, match=r"other settings: .* was .* and is ") as raised:
        folder_at(tmp_path / "run").open(replace(RECORD, settings=settings))
    assert str(raised.value).count(" was ") == 1


def test_a_run_without_answers_gives_way_to_other_settings(tmp_path: Path) -> None:
    """Its settings may not have worked, so the corrected command has to."""
    folder_at(tmp_path).open(RECORD)
    corrected = replace(RECORD, settings=replace(SETTINGS, halting="fixed, 16 steps"))
    assert folder_at(tmp_path).open(corrected) is False
    folder = folder_at(tmp_path)
    folder.open(corrected)
    folder.append(answers(1))
    with pytest.raises(OutputExistsError, match="the halting rule was fixed, 16 steps and is "):
        folder_at(tmp_path).open(RECORD)


def test_parts_fill_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "PART_ROWS", 10)
    folder = folder_at(tmp_path)
    for count in (4, 6, 0, 25):
        folder.append(answers(count))
    assert [path.name for path in part_paths(tmp_path)] == [
        f"predictions-0000{number}.npz" for number in (1, 2, 3, 4)
    ]
    again = folder_at(tmp_path)
    assert again.count() == 35
    assert [len(part) for part in again.stored()] == [10, 10, 10, 5]
    again.append(answers(3))
    assert folder_at(tmp_path).count() == 38


def test_what_a_killed_process_left_is_no_other_output(tmp_path: Path) -> None:
    (tmp_path / ".run.json.trm-edge-1-host-x").touch()
    assert folder_at(tmp_path).open(RECORD) is False
    (tmp_path / "run.json").unlink()
    with pytest.raises(OutputExistsError, match=r"exists and is not a run of trm-edge solve"):
        folder_at(tmp_path).open(RECORD)


def test_a_damaged_record(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RecordError, match=r"Choose another folder, or delete this one"):
        folder_at(tmp_path).open(RECORD)
