"""Where ONNX Runtime Web comes from: a folder, an archive, the cache, npm."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from tests.page.samples import FILES, write_archive
from trm_edge.errors import BackendError
from trm_edge.page import runtime
from trm_edge.page.runtime import BINARY, SCRIPT, Runtime, cache_folder, find_runtime

NPM = """#!/bin/sh
echo "$@" >> "{log}"
for argument in "$@"; do
  case "$argument" in --pack-destination=*) folder="${{argument#*=}}";; esac
done
{action}
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def pinned(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive that has the pinned hashes."""
    archive = write_archive(tmp_path / "onnxruntime-web.tgz", FILES)
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    monkeypatch.setattr(runtime, "INTEGRITY", f"sha512-{digest}")
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(runtime, "SHA256", hashes)
    return archive


def put_npm(folder: Path, action: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for npm on the path; returns the file of its calls."""
    log = folder / "npm.log"
    npm = folder / "bin" / "npm"
    npm.parent.mkdir(exist_ok=True)
    npm.write_text(NPM.format(log=log, action=action))
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    return log


def expected() -> Runtime:
    return Runtime("9.8.7", FILES[SCRIPT], FILES[BINARY])


@pytest.mark.parametrize("place", [".", "dist", "package/dist"])
def test_a_folder_of_the_user(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    assert find_runtime(tmp_path) == expected()


def test_an_archive_of_the_user(tmp_path: Path) -> None:
    assert find_runtime(write_archive(tmp_path / "x.tgz", FILES)) == expected()


def test_a_build_that_does_not_say_its_version(tmp_path: Path) -> None:
    files = {**FILES, SCRIPT: b"export default 1;"}
    assert find_runtime(write_archive(tmp_path / "x.tgz", files)).version == "custom"


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_bytes(b"")
    with pytest.raises(BackendError, match=rf"has no {SCRIPT} and .* npm pack onnxruntime-web@"):
        find_runtime(tmp_path)


@pytest.mark.parametrize("kind", ["no archive", "another package"])
def test_another_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(b"not an archive")
    if kind == "another package":
        write_archive(path, FILES, "package/lib")
    with pytest.raises(BackendError, match="is not an archive of the npm package"):
        find_runtime(path)


def test_npm_is_asked_once(
    tmp_path: Path, cache: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = put_npm(tmp_path, f'cp "{pinned}" "$folder/onnxruntime-web.tgz"', monkeypatch)
    assert find_runtime() == expected()
    assert find_runtime() == expected()
    (call,) = log.read_text().splitlines()
    assert call.startswith("pack ")
    assert call.endswith(f"onnxruntime-web@{runtime.VERSION}")
    assert "--ignore-scripts" in call
    assert sorted(path.name for path in cache.iterdir()) == sorted(FILES)


def test_a_damaged_cache_is_fetched_again(
    tmp_path: Path, cache: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = put_npm(tmp_path, f'cp "{pinned}" "$folder/onnxruntime-web.tgz"', monkeypatch)
    find_runtime()
    (cache / BINARY).write_bytes(b"half")
    assert find_runtime() == expected()
    assert len(log.read_text().splitlines()) == 2


def test_something_else_from_npm_is_refused(
    tmp_path: Path, cache: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_archive(tmp_path / "other.tgz", {**FILES, BINARY: b"changed"})
    put_npm(tmp_path, f'cp "{other}" "$folder/onnxruntime-web.tgz"', monkeypatch)
    with pytest.raises(BackendError, match="npm fetched something else than onnxruntime-web"):
        find_runtime()
    assert not cache.exists()


def test_without_a_network(
    tmp_path: Path, cache: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_npm(tmp_path, 'echo "npm error code ENOTFOUND" >&2; exit 1', monkeypatch)
    with pytest.raises(BackendError, match=r"\(npm error code ENOTFOUND\).*--runtime"):
        find_runtime()


def test_without_npm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        BackendError, match=r"npm is not installed. Install Node.js, or .*--runtime"
    ):
        find_runtime()
