from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TextIO

import pytest

from tests.batch.disks import small_disk
from tests.open_files import open_files
from trm_edge.batch.input_copy import copied_input
from trm_edge.batch.output_folder import INPUT_PREFIX, OutputFolder
from trm_edge.errors import OutputError, PuzzleError

PACKED = b"\x1f\x8b\x08\x00\xff\x00\r\n"  # not text


def opened(path: Path, content: bytes) -> TextIO:
    """A stand-in for ``sys.stdin`` that reads a file."""
    path.write_bytes(content)
    return path.open()


def test_the_bytes_are_copied_as_they_are(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    folder.path.mkdir()
    with opened(tmp_path / "in", PACKED) as stdin, copied_input(stdin, folder) as copy:
        assert copy.parent == folder.path
        assert copy.name.startswith(INPUT_PREFIX)
        assert copy.read_bytes() == PACKED
    assert list(folder.path.iterdir()) == []


def test_the_copy_is_removed_after_an_error(tmp_path: Path) -> None:
    def solve(stdin: TextIO) -> None:
        with copied_input(stdin, OutputFolder(tmp_path)):
            raise PuzzleError("no puzzle.")

    with opened(tmp_path / "in", b"x") as stdin, pytest.raises(PuzzleError, match="no puzzle"):
        solve(stdin)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    content = b"1" * 10_000
    os.write(writer, content)
    os.close(writer)
    with os.fdopen(reader) as stdin, copied_input(stdin, OutputFolder(tmp_path)) as copy:
        assert copy.read_bytes() == content


def test_standard_input_of_a_notebook_is_copied(tmp_path: Path) -> None:
    """It is text in memory, not a file of the system."""
    with copied_input(io.StringIO("puzzle\n"), OutputFolder(tmp_path)) as copy:
        assert copy.read_bytes() == b"puzzle\n"


def test_a_closed_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="standard input is closed"):
        copied_input(None, OutputFolder(tmp_path)).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_the_copy_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k"):
        folder = OutputFolder(tmp_path / "disk")
        with (
            opened(tmp_path / "in", bytes(1 << 20)) as stdin,
            pytest.raises(OutputError, match=r"cannot copy standard input .*No space.*Make room"),
        ):
            copied_input(stdin, folder).__enter__()
        assert list(folder.path.iterdir()) == []
        assert open_files(folder.path) == []
