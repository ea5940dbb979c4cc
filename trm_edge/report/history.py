"""Baselines over time: a file that ``trm-edge regress --update`` wrote, and git's older ones."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trm_edge.errors import BundleError
from trm_edge.evaluation.baseline import FORMAT, Measured

VERSIONS = 50  # of a file that are read from git
_SECONDS = 60  # that git may take


@dataclass(frozen=True)
class History:
    """A baseline's versions, the oldest first, and what was left out."""

    path: str
    versions: tuple[Measured, ...]
    notes: tuple[str, ...]


def read_history(path: Path) -> History:
    """The file as it is, and, where git tracks it, as it was.

    Versions of another format are left out with a note. Where there is no git, no repository or
    no commit of the file, there is one version.

    Raises:
        BundleError: the file is not there, is no baseline, or is damaged.
    """
    notes = []
    versions: dict[str, Measured] = {}  # by content: the newest commit has the file as it is
    if _is_older(path):
        notes.append(f"{path} is a baseline of another version of trm-edge and is left out.")
    else:
        versions[path.read_text(encoding="utf-8")] = _dated(Measured.read(path), str(path))
    for commit, text in _committed(path):
        where = f"{path} of commit {commit[:10]}"
        if text in versions:
            continue
        try:
            versions[text] = _dated(_parsed(text, where), where)
        except BundleError as error:
            notes.append(f"{where} is left out: {error}")
    found = sorted(versions.values(), key=lambda one: one.provenance["made"])
    return History(str(path), tuple(found), tuple(notes))


def _is_older(path: Path) -> bool:
    """Whether it is a baseline, of a format that this version does not read."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    found = raw.get("format") if isinstance(raw, dict) else None
    family = FORMAT.partition("/")[0]
    return isinstance(found, str) and found != FORMAT and found.partition("/")[0] == family


def _dated(measured: Measured, where: str) -> Measured:
    if "made" not in measured.provenance:
        raise BundleError(f"{where} does not say when it was made. Write it again with --update.")
    return measured


def _parsed(text: str, where: str) -> Measured:
    """A version that is in no file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "baseline.json"
        path.write_text(text, encoding="utf-8")
        try:
            return Measured.read(path)
        except BundleError as error:
            raise BundleError(str(error).replace(str(path), where)) from error


def _committed(path: Path) -> Iterator[tuple[str, str]]:
    """Commits that changed the file, the newest first, and its text in each."""
    listed = _git(path.parent, "log", "--format=%H", f"--max-count={VERSIONS}", "--", path.name)
    for commit in listed.split():
        text = _git(path.parent, "show", f"{commit}:./{path.name}")
        if text:  # a commit that removed the file has none
            yield commit, text


def _git(folder: Path, *arguments: str) -> str:
    """What git says, and nothing where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=_SECONDS
        )
        return done.stdout.decode("utf-8") if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
