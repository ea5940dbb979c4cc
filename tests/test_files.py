"""Outputs are written whole or not at all, and one that cannot be written is refused early."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trm_edge import staging
from trm_edge.errors import OutputError
from trm_edge.files import (
    check_writable,
    error_reason,
    hash_file,
    is_write_error,
    replace_file,
    write_bytes,
    write_text,
)

Write = Callable[[Path], None]


def write_some_text(path: Path) -> None:
    write_text(path, "text")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_text_is_written_as_utf8_and_folders_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(path.parent) == ["file.txt"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "file")
    for text in ("of a link to nothing", "replaced"):
        write_text(link, text)
        assert link.is_symlink()
        assert (tmp_path / "folder" / "file").read_text() == text


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def no_space(source: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(OutputError, match=r"cannot write .*file: No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("write", [check_writable, write_some_text])
def test_a_path_that_cannot_be_written_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    for path, message in (
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe", "it is not a regular file"),
        (tmp_path / "file" / "x", "is not a folder|Not a directory|File exists"),
        (Path("/proc/trm-edge"), "No such file"),
        (Path("/proc/trm-edge/x/y"), "No such file"),
        (tmp_path / ("x" * 300), "name too long"),
    ):
        with pytest.raises(OutputError, match=rf"^cannot write {path}: .*({message})"):
            write(path)
    assert names(tmp_path) == before


def test_a_read_only_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    path.chmod(0o444)
    # Root may write anything, so ask as if we were not.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(OutputError, match="the file is read-only"):
        check_writable(path)


def test_the_check_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("content")
    check_writable(tmp_path / "old")
    check_writable(tmp_path / "new")
    check_writable(tmp_path / "a" / "b" / "new")
    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "content"


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX locks")
def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / f".file.trm-edge-{2**22 + 1}-{staging._host()}-00000000"
    left.write_text("half")
    write_text(tmp_path / "file", "text")
    assert names(tmp_path) == ["file"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupt() -> None:
        with replace_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_errors_of_writing_are_told_from_those_of_reading() -> None:
    assert is_write_error(OSError(28, "No space left on device"))
    assert is_write_error(OSError("10000 requested and 512 written"))
    assert not is_write_error(FileNotFoundError(2, "No such file or directory"))


def test_the_reason_of_a_failed_copy_is_that_of_its_first_file(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(shutil.Error) as caught:
        shutil.copytree(tmp_path / "source", tmp_path / "copy")
    assert "No such file or directory" in error_reason(caught.value)
    assert error_reason(OSError(28, "No space left on device")) == "No space left on device"


def test_the_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
