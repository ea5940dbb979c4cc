"""Earlier versions of a file, read from git without obeying the repository's configuration.

A folder that somebody sent may be a repository whose own configuration runs programs: to watch
files, to check signatures, to convert content, to fetch what is missing. So only the place of its
objects and its last commit are asked for, which runs nothing; commits and contents are then read
through an empty repository of our own that borrows these objects. The user's own configuration
holds throughout.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trm_edge.records import MAX_BYTES

MAX_VERSIONS = 50  # commits of a file that are read
_TIMEOUT = 60  # seconds
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256_DIGITS = 64
# Whatever the repository's configuration says: nothing is watched, hooked or fetched.
_SAFE = (
    "--no-optional-locks",
    "--no-replace-objects",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "protocol.allow=never",
)
_CONFIG = """[core]
\trepositoryformatversion = {version}
\tbare = true
[extensions]
\tobjectformat = {object_format}
"""


def committed_versions(path: Path) -> Iterator[tuple[str, str]]:
    """Read a file as it was in the commits that changed it, the newest first.

    Args:
        path: the file.

    Yields:
        The commit's hash and the file's text in it; nothing where there is no git, no repository
        or no commit of the file.
    """
    folder = path.parent
    answer = _git(
        folder,
        "rev-parse",
        "--path-format=absolute",
        "--git-common-dir",
        "--show-prefix",
        "--verify",
        "HEAD",
    ).splitlines()
    if len(answer) != 3 or not _HASH.fullmatch(answer[2]):
        return
    common = Path(answer[0])
    name = f"{answer[1]}{path.name}"
    with tempfile.TemporaryDirectory(prefix="trm-edge.") as place:
        borrowed = _Borrowed(Path(place), common, answer[2])
        for commit in borrowed.commits(name):
            text = borrowed.text(commit, name)
            if text:  # empty for a commit that removed the file
                yield commit, text


class _Borrowed:
    """A repository without configuration of its own that has another's objects."""

    def __init__(self, place: Path, common: Path, head: str) -> None:
        self._place = place
        self._head = head
        self._objects = common / "objects"
        object_format = "sha256" if len(head) == _SHA256_DIGITS else "sha1"
        version = 1 if object_format == "sha256" else 0
        config = _CONFIG.format(version=version, object_format=object_format)
        if version == 0:
            config = config.partition("[extensions]")[0]
        (place / "config").write_text(config)
        (place / "HEAD").write_text("ref: refs/heads/none\n")
        (place / "refs").mkdir()
        (place / "objects").mkdir()
        self._copy_shallow(common / "shallow")

    def commits(self, name: str) -> list[str]:
        """The commits that changed a file, the newest first."""
        limit = f"--max-count={MAX_VERSIONS}"
        return self._run("rev-list", limit, self._head, "--", name).split()

    def text(self, commit: str, name: str) -> str:
        """The file in a commit; empty where it is missing or too large."""
        size = self._run("cat-file", "-s", f"{commit}:{name}").strip()
        if not size.isdecimal() or int(size) > MAX_BYTES:
            return ""
        return self._run("cat-file", "blob", f"{commit}:{name}")

    def _run(self, *arguments: str) -> str:
        return _git(
            self._place,
            *arguments,
            GIT_DIR=str(self._place),
            GIT_OBJECT_DIRECTORY=str(self._objects),
        )

    def _copy_shallow(self, path: Path) -> None:
        """Copy the list of commits whose parents a shallow clone lacks."""
        try:
            lines = path.read_text(encoding="ascii").splitlines() if path.is_file() else []
        except (OSError, UnicodeError):
            return
        hashes = [line for line in lines if _HASH.fullmatch(line)]
        if hashes:
            (self._place / "shallow").write_text("\n".join(hashes) + "\n")


def _git(folder: Path, *arguments: str, **variables: str) -> str:
    """Return git's output, or an empty string if it fails or is not installed."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        **variables,
    }
    try:
        result = subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
        )
        if result.returncode != 0:
            return ""
        return result.stdout.decode("utf-8")
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError, ValueError):
        return ""
