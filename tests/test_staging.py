"""Hidden files beside an output: whose they are, and what killed runs left of them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trm_edge import staging
from trm_edge.staging import remove_leftovers, stage_file, stage_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX locks")

CHILD = """
import sys, time
from pathlib import Path
from trm_edge.staging import stage_folder
staged, others = stage_folder(Path(sys.argv[1]))
(staged.path / "half").write_text("half")
print(staged.path.name, *others, flush=True)
time.sleep(600)
"""


@contextmanager
def another_run(place: Path) -> Iterator[tuple[int, str]]:
    """Another process that prepares an output, killed at the end: its pid and what it printed."""
    command = [sys.executable, "-c", CHILD, str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process.pid, line
        finally:
            process.kill()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_run_left_is_removed_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "out"
    with another_run(place) as (pid, line):
        assert f".out.trm-edge-{pid}-" in line
        assert remove_leftovers(place) == [pid]  # while it lives it is left alone
        assert names(tmp_path) == [line.strip()]
    with caplog.at_level(logging.INFO, "trm_edge"):
        staged, others = stage_folder(place)
    assert others == []
    assert names(tmp_path) == [staged.path.name]
    assert f"which a killed run left (process {pid})" in caplog.text
    staged.remove()
    assert names(tmp_path) == []


def test_two_runs_to_one_place_know_of_each_other(tmp_path: Path) -> None:
    with another_run(tmp_path / "out") as (pid, _):
        staged, others = stage_folder(tmp_path / "out")
        assert others == [pid]
        staged.remove()
        elsewhere, others = stage_folder(tmp_path / "out2")
        assert others == []
        elsewhere.remove()


def test_a_lock_counts_more_than_a_pid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another container the same pid is another process, or none."""
    with another_run(tmp_path / "out") as (pid, _):
        monkeypatch.setattr(staging, "_running", lambda pid: False)
        assert remove_leftovers(tmp_path / "out") == [pid]


def test_a_pid_that_is_used_again_does_not_keep_leftovers(tmp_path: Path) -> None:
    host = staging._host()
    ours = tmp_path / f".out.trm-edge-{os.getpid()}-{host}-00000000"
    parents = tmp_path / f".out.trm-edge-{os.getppid()}-{host}-00000000"
    for path in (ours, parents):
        path.mkdir()
    os.utime(parents, (0, 0))
    assert remove_leftovers(tmp_path / "out") == []
    assert names(tmp_path) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_try_lock", lambda path: (None, False))
    dead = 2**22 + 1  # beyond the largest pid of Linux
    here = tmp_path / f".out.trm-edge-{dead}-{staging._host()}-00000000"
    elsewhere = tmp_path / f".out.trm-edge-{dead}-ffff0-00000000"
    for path in (here, elsewhere):
        path.mkdir()
    assert remove_leftovers(tmp_path / "out") == [dead]
    assert names(tmp_path) == [elsewhere.name]  # its process may run on that machine


def test_what_others_own_is_left_alone(tmp_path: Path) -> None:
    for name in (".out", ".out.x", ".out.trm-edge-1", ".out2.trm-edge-99999999-ab-cd", "out.qat"):
        (tmp_path / name).write_text("mine")
    before = names(tmp_path)
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path) == before


def test_an_output_that_was_moved_aside_is_put_back(tmp_path: Path) -> None:
    old = tmp_path / f".out.trm-edge-{2**22 + 1}-{staging._host()}-00000000.old"
    old.mkdir()
    (old / "content").write_text("old")
    remove_leftovers(tmp_path / "out")
    assert (tmp_path / "out" / "content").read_text() == "old"
    old.mkdir()  # the new output is there: only garbage is left
    remove_leftovers(tmp_path / "out")
    assert names(tmp_path) == ["out"]


def test_files_of_a_staged_folder_do_not_wait_for_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    folder, _ = stage_folder(tmp_path / "out")
    file = stage_file(folder.path / "record.json")
    file.remove()
    folder.remove()
    assert not pauses


def test_a_folder_that_another_run_is_looking_through_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, _ = staging._try_lock(tmp_path)
    assert looking is not None
    monkeypatch.setattr(time, "sleep", lambda seconds: os.close(looking))
    folder, _ = stage_folder(tmp_path / "out")
    folder.remove()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.close(looking)  # it ended during the first pause


def test_long_names(tmp_path: Path) -> None:
    place = tmp_path / ("ü" * 120)
    staged = stage_file(place)
    staged.path.replace(place)
    staged.close()
    assert names(tmp_path) == [place.name]


def test_a_folder_is_staged_beside_its_repository(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    repository.mkdir()
    staged, _ = stage_folder(repository / "trm", tmp_path)
    assert staged.path.name.startswith(".models.trm.trm-edge-")
    staged.close()
    staged.path.rename(tmp_path / staged.path.name.replace(str(os.getpid()), str(2**22 + 1)))
    remove_leftovers(repository / "trm", tmp_path)
    assert names(tmp_path) == ["models"]
