"""Versions of a file come from git, and nothing that the repository's configuration names runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trm_edge.report.versions import committed_versions


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tracked(tmp_path: Path) -> Path:
    """A file with two commits, in a folder of a repository."""
    path = tmp_path / "repository" / "baselines" / "cpu.json"
    path.parent.mkdir(parents=True)
    git(path.parent, "init", "--quiet", "..")
    for text in ("first", "second"):
        path.write_text(text)
        git(path.parent, "add", "-A")
        git(path.parent, "commit", "--quiet", "-m", text)
    return path


def texts(path: Path) -> list[str]:
    return [text for _, text in committed_versions(path)]


def test_every_commit_of_the_file_counts(tracked: Path) -> None:
    assert texts(tracked) == ["second", "first"]
    tracked.unlink()
    git(tracked.parent, "commit", "--quiet", "-a", "-m", "gone")
    assert texts(tracked) == ["second", "first"]
    assert texts(tracked.with_name("other.json")) == []


def test_a_working_tree_beside_the_repository_and_a_shallow_clone(tracked: Path) -> None:
    root = tracked.parents[1]
    git(root, "worktree", "add", "--quiet", "../beside")
    assert texts(root.parent / "beside/baselines/cpu.json") == ["second", "first"]
    git(root, "clone", "--quiet", "--depth", "1", f"file://{root}", "../shallow")
    assert texts(root.parent / "shallow/baselines/cpu.json") == ["second"]


def test_the_repository_s_configuration_runs_no_program(tracked: Path) -> None:
    root = tracked.parents[1]
    evidence = root.parent / "a program ran"
    program = root / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch '{evidence}'\n")
    program.chmod(0o755)
    (root / ".gitattributes").write_text("*.json diff=evil filter=evil\n")
    settings = {
        "core.fsmonitor": program,
        "core.hooksPath": root,
        "core.pager": program,
        "core.sshCommand": program,
        "diff.evil.textconv": program,
        "diff.external": program,
        "filter.evil.smudge": program,
        "gpg.program": program,
        "log.showSignature": "true",
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.uploadpack": program,
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
    }
    for name, value in settings.items():
        git(root, "config", name, str(value))
    assert texts(tracked) == ["second", "first"]
    blob = git(root, "-c", "core.fsmonitor=", "rev-parse", "HEAD~1:baselines/cpu.json").strip()
    (root / ".git/objects" / blob[:2] / blob[2:]).unlink()  # git would fetch it
    evidence.unlink(missing_ok=True)
    assert texts(tracked) == ["second"]
    assert not evidence.exists()


def test_no_repository(tmp_path: Path) -> None:
    assert texts(tmp_path / "b.json") == []
    assert texts(tmp_path / "absent" / "b.json") == []
