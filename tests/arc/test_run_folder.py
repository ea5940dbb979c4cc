"""The folder of a run: settings that have to stay, and files of others that are kept."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests.arc.voters import SETTINGS, Arranged, parsed
from trm_edge.arc.run_folder import RunFolder, RunRecord, RunSettings
from trm_edge.errors import OutputError, OutputExistsError, RecordError
from trm_edge.run_lock import LOCK_NAME

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


@pytest.mark.parametrize("name", [entry.name for entry in fields(RunSettings)])
def test_every_other_setting_is_refused_and_named(name: str, tmp_path: Path) -> None:
    folder_at(tmp_path / "run").open(RECORD)
    (tmp_path / "run" / "predictions-00001.npz").touch()
    settings = replace(SETTINGS, **{name: OTHERS[name]})
    with pytest.raises(OutputExistsError, match=r"other settings: .* was .* and is ") as raised:
        folder_at(tmp_path / "run").open(replace(RECORD, settings=settings))
    assert str(raised.value).count(" was ") == 1


def test_a_run_without_answers_gives_way_to_other_settings(tmp_path: Path) -> None:
    """Its settings may not have worked, so the corrected command has to."""
    folder_at(tmp_path).open(RECORD)
    corrected = replace(RECORD, settings=replace(SETTINGS, halting="fixed, 16 steps"))
    assert folder_at(tmp_path).open(corrected) is False
    (tmp_path / "predictions-00001.npz").touch()
    with pytest.raises(OutputExistsError, match="the halting rule was fixed, 16 steps and is "):
        folder_at(tmp_path).open(RECORD)


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


def test_a_locked_folder_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with folder_at(path).locked():
        with (
            pytest.raises(OutputError, match="another process is at work"),
            folder_at(path).locked(),
        ):
            pass
        assert [file.name for file in path.iterdir()] == [LOCK_NAME]
        folder_at(path).open(RECORD)
    assert (path / "run.json").exists()
    with folder_at(path).locked():
        pass


def test_a_folder_without_a_run_is_removed_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), folder_at(path).locked():
        raise KeyboardInterrupt
    assert not path.exists()
    path.mkdir()
    with folder_at(path).locked():
        pass
    assert path.exists()


def test_the_folder_of_something_else_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not a run"), folder_at(tmp_path).locked():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_lock_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    message = r"cannot write .*: Is a directory\. Make room .* or choose another one"
    with pytest.raises(OutputError, match=message), folder_at(tmp_path).locked():
        pass
