from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.report.samples import baseline
from trm_edge.errors import BundleError
from trm_edge.report.history import read_history


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tracked(tmp_path: Path) -> Path:
    """A baseline with two commits, in a folder of a repository."""
    path = tmp_path / "baselines" / "cpu.json"
    git(tmp_path, "init", "--quiet")
    for days in (0, 5):
        baseline(days).write(path)
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "--quiet", "-m", f"day {days}")
    return path


def made(path: Path) -> list[str]:
    return [one.provenance["made"][:10] for one in read_history(path).versions]


def test_a_file_that_git_does_not_know_is_one_version(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    baseline(0).write(path)
    assert made(path) == ["2026-03-01"]


def test_without_git_there_is_one_version(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert made(tracked) == ["2026-03-06"]


def test_every_commit_and_the_file_as_it_is_each_once(tracked: Path) -> None:
    assert made(tracked) == ["2026-03-01", "2026-03-06"]
    baseline(7).write(tracked)
    assert made(tracked) == ["2026-03-01", "2026-03-06", "2026-03-08"]


def test_versions_of_another_format_are_left_out_and_told(tracked: Path) -> None:
    good = tracked.read_text()
    older = json.loads(good) | {"format": "trm-edge.baseline/0"}
    for text in (json.dumps(older), "{", good):
        tracked.write_text(text)
        git(tracked.parent, "commit", "--quiet", "-a", "-m", "change")
    history = read_history(tracked)
    assert len(history.versions) == 2
    assert len(history.notes) == 2
    assert "its format is 'trm-edge.baseline/0'" in history.notes[1]
    assert "cpu.json of commit " in history.notes[1]
    assert gettempdir() not in history.notes[1].replace(str(tracked), "")
    tracked.write_text(json.dumps(older))
    history = read_history(tracked)
    assert len(history.versions) == 2
    assert "is a baseline of another version of trm-edge and is left out" in history.notes[0]


def test_a_file_that_is_no_baseline_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no baseline at"):
        read_history(tmp_path / "absent.json")
    path = tmp_path / "b.json"
    path.write_text('{"format": "something/1"}')
    with pytest.raises(BundleError, match="is no baseline of this version"):
        read_history(path)
    baseline(0).write(path)
    path.write_text(path.read_text().replace('"made"', '"born"'))
    with pytest.raises(BundleError, match="does not say when it was made"):
        read_history(path)
