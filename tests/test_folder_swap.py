"""A folder takes the place of another, whatever the file system can do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.test_staging import names
from trm_edge import folder_swap
from trm_edge.folder_swap import exchange, install, rename_new
from trm_edge.staging import Staged, stage_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX locks")


@pytest.fixture(params=["one step", "two steps"])
def staged(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Staged:
    if request.param == "two steps":
        monkeypatch.setattr(folder_swap, "_rename", lambda source, target, flags: False)
    folder, _ = stage_folder(tmp_path / "out")
    (folder.path / "content").write_text("new")
    return folder


def test_install_where_nothing_is(staged: Staged, tmp_path: Path) -> None:
    install(staged.path, tmp_path / "out", lambda: None)
    staged.remove()
    assert names(tmp_path) == ["out"]
    assert (tmp_path / "out" / "content").read_text() == "new"


def test_install_replaces(staged: Staged, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    install(staged.path, tmp_path / "out", lambda: None)
    staged.remove()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["content"]


def test_install_asks_before_it_replaces(staged: Staged, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    def refuse() -> None:
        raise ValueError("not that")

    with pytest.raises(ValueError, match="not that"):
        install(staged.path, tmp_path / "out", refuse)
    assert names(tmp_path / "out") == []
    staged.remove()


def test_a_failed_second_step_puts_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, _ = stage_folder(tmp_path / "out")
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(folder_swap, "exchange", lambda new, place: False)
    rename = Path.rename

    def full(source: Path, target: Path) -> Path:
        if source == staged.path:
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        install(staged.path, tmp_path / "out", lambda: None)
    monkeypatch.undo()
    staged.remove()
    assert names(tmp_path) == ["out"]


def test_exchange_and_rename(tmp_path: Path) -> None:
    one = tmp_path / "one"
    two = tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "1").touch()
    if exchange(one, two):
        assert names(two) == ["1"]
    with pytest.raises(FileExistsError):
        rename_new(one, two)  # not even an empty folder is replaced
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "absent", two)
