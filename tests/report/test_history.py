from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.report.samples import baseline
from trm_edge.errors import RecordError
from trm_edge.report.history import created_at, exact_series, read_history


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


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


def dates(path: Path) -> list[str]:
    return [created_at(version)[:10] for version in read_history(path).versions]


def test_an_untracked_file_is_one_version(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    baseline(0).write(path)
    assert dates(path) == ["2026-03-01"]


def test_without_git_there_is_one_version(tracked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert dates(tracked) == ["2026-03-06"]


def test_every_commit_and_the_current_file_count_once(tracked: Path) -> None:
    assert dates(tracked) == ["2026-03-01", "2026-03-06"]
    baseline(7).write(tracked)
    assert dates(tracked) == ["2026-03-01", "2026-03-06", "2026-03-08"]


def test_versions_of_another_format_are_left_out_with_a_note(tracked: Path) -> None:
    good = tracked.read_text()
    older = json.loads(good) | {"format": "trm-edge.baseline/0"}
    for text in (json.dumps(older), "{", good):
        tracked.write_text(text)
        git(tracked.parent, "commit", "--quiet", "-a", "-m", "change")
    history = read_history(tracked)
    assert len(history.versions) == 2
    assert len(history.notes) == 2
    assert "trm-edge.baseline/0" in history.notes[1]
    assert "cpu.json of commit " in history.notes[1]
    assert gettempdir() not in history.notes[1].replace(str(tracked), "")
    tracked.write_text(json.dumps(older))
    history = read_history(tracked)
    assert len(history.versions) == 2
    assert "was written by another version of trm-edge and is left out" in history.notes[0]


def test_a_file_that_is_not_a_baseline_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="there is no baseline at"):
        read_history(tmp_path / "absent.json")
    path = tmp_path / "b.json"
    path.write_text('{"format": "something/1"}')
    with pytest.raises(RecordError, match="something/1"):
        read_history(path)
    baseline(0).write(path)
    path.write_text(path.read_text().replace('"made"', '"other"'))
    with pytest.raises(RecordError, match=r"has no date: provenance\.made is missing"):
        read_history(path)


def test_versions_without_known_answers_have_no_exact_match() -> None:
    known = baseline(0)
    unknown = replace(baseline(1), answers=replace(known.answers, labelled=False))
    series = exact_series([known, unknown])
    for values in series.values():
        assert values[0] is not None
        assert values[1] is None
