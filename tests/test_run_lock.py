"""Two processes do not write to the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

from trm_edge.errors import OutputError
from trm_edge.run_lock import LOCK_NAME, locked_folder, only_process_in


def test_a_second_user_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    # A descriptor of its own has a lock of its own, even within a process.
    with (
        only_process_in(tmp_path),
        pytest.raises(OutputError, match="another process is at work in"),
        only_process_in(tmp_path),
    ):
        pass
    with only_process_in(tmp_path):
        pass


def test_a_folder_without_a_run_is_removed_and_one_with_a_run_stays(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with locked_folder(folder, "run.json"):
        assert folder.is_dir()
    assert not folder.exists()
    with locked_folder(folder, "run.json"):
        (folder / "run.json").touch()
    assert sorted(path.name for path in folder.iterdir()) == [LOCK_NAME, "run.json"]


def test_a_refused_second_start_leaves_the_lock_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it looked for the folder before the first one made it."""
    folder = tmp_path / "run"
    with locked_folder(folder, "run.json"):
        second = locked_folder(folder, "run.json")
        monkeypatch.setattr(Path, "exists", lambda path: False)
        with pytest.raises(OutputError, match="another process is at work in"):
            second.__enter__()
        monkeypatch.undo()
        assert (folder / LOCK_NAME).exists()
