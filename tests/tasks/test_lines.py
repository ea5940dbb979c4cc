"""Lines of any file: encodings, gzip, and what is not text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trm_edge.errors import PuzzleError
from trm_edge.printable import printable
from trm_edge.tasks import lines as lines_module
from trm_edge.tasks.lines import MAX_LINE, holds_input, open_lines, open_standard_input

TEXT = "first\nsecond é\n"


def read(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return list(open_lines(path))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_encodings(ends: str, encoding: str, pack: object, tmp_path: Path) -> None:
    content = TEXT.replace("\n", ends).encode(encoding)
    assert callable(pack)
    assert read(tmp_path / "x", pack(content)) == ["first\n", "second é\n"]


def test_bytes_that_are_not_text_do_not_end_the_file(tmp_path: Path) -> None:
    assert read(tmp_path / "x", b"a\n\xff\nb\n") == ["a\n", "\ufffd\n", "b\n"]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.csv"), TEXT)  # without the time of the day
    return buffer.getvalue()


def saved() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(), "is a zip archive, not lines of text. Unpack it"),
        (gzip.compress(zipped(), mtime=0), "is a zip archive"),
        (bz2.compress(b"x"), "is compressed with bzip2"),
        (lzma.compress(b"x"), "is compressed with xz"),
        (saved(), "is a numpy array, not lines of text. Pass the dataset's folder"),
        (b"PAR1....", "is a Parquet table"),
        (gzip.compress(TEXT.encode() * 99, mtime=0)[:-9], "is a damaged gzip file"),
        (b"\x1f\x8bnothing", "is a damaged gzip file"),
    ],
)
def test_what_is_not_text_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=message):
        read(tmp_path / "x", content)


def test_long_lines_are_cut_and_endless_ones_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = b"x" * (3 * MAX_LINE)
    kept, after = read(tmp_path / "x", long + b"\nnext\n")
    assert len(kept) == MAX_LINE + 1
    assert after == "next\n"
    monkeypatch.setattr(lines_module, "MAX_LINE_TOTAL", 2 * MAX_LINE)
    with pytest.raises(PuzzleError, match="a line of more than 2,097,152 characters"):
        read(tmp_path / "x", long)


def test_gzip_unpacks_to_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(PuzzleError, match="unpacks to more than"):
        read(tmp_path / "x", gzip.compress(b"short line\n" * 200_000))


@pytest.mark.parametrize("name", ["absent", "a\0b", "\x1b[31m", "x" * 300, "."])
def test_what_cannot_be_opened(name: str, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="cannot read puzzles from") as caught:
        list(open_lines(tmp_path / name))
    assert printable(str(caught.value)) == str(caught.value)


def test_pipes_are_live_and_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(TEXT)
    opened = open_lines(tmp_path / "file")
    assert not opened.live
    assert not opened.is_empty()
    assert list(opened) == TEXT.splitlines(keepends=True)
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as pipe, os.fdopen(write_end, "w") as writer:
        assert holds_input(pipe)
        source = open_standard_input(pipe)
        assert source.live
        writer.write(TEXT)
        writer.close()
        assert len(list(source)) == 2


def test_input_that_nobody_gave(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, expected in ((tmp_path / "empty", False), (Path(os.devnull), False)):
        with path.open() as file:
            assert holds_input(file) is expected
    (tmp_path / "file").write_text(TEXT)
    with (tmp_path / "file").open() as file:
        assert holds_input(file)
    assert not holds_input(None)
    assert not holds_input(io.StringIO(TEXT))
    with pytest.raises(PuzzleError, match="standard input is closed"):
        open_standard_input(None)
    assert list(open_standard_input(io.StringIO(TEXT))) == TEXT.splitlines(keepends=True)


def test_the_text_as_a_whole(tmp_path: Path) -> None:
    """A line of it may be longer than any line of puzzles."""
    path = tmp_path / "tasks.json.gz"
    content = "x" * (MAX_LINE + 5)
    path.write_bytes(gzip.compress(content.encode()))
    assert open_lines(path).text(MAX_LINE + 5) == content
    with pytest.raises(PuzzleError, match=r"has more than 1,048,580 characters\. Split it"):
        open_lines(path).text(MAX_LINE + 4)
    path.write_bytes(gzip.compress(content.encode())[:-3])
    with pytest.raises(PuzzleError, match="damaged gzip file"):
        open_lines(path).text(MAX_LINE + 5)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_binary_file_is_not_read_line_by_line(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "step.onnx"
    path.write_bytes(pack(b"\x08\x08\x12\x00:\xd2\n\x01line\n"))
    with pytest.raises(PuzzleError, match=r"step\.onnx is a binary file, not lines of text"):
        list(open_lines(path))
