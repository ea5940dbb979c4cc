"""Kinds of files by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest

from trm_edge.file_signatures import identify


def saved() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), "b")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "kind", "unpack"),
    [
        (gzip.compress(b"x", mtime=0), "compressed with gzip", "gunzip"),
        (bz2.compress(b"x"), "compressed with bzip2", "bunzip2"),
        (lzma.compress(b"x"), "compressed with xz", "unxz"),
        (zipped(), "a zip archive", "Unpack it"),
        (saved(), "a numpy array", ""),
    ],
)
def test_files_of_other_programs_are_told(content: bytes, kind: str, unpack: str) -> None:
    signature = identify(content)
    assert signature is not None
    assert signature.kind == kind
    assert unpack in signature.unpack


@pytest.mark.parametrize("content", [b"", b"P", b"puzzle,solution\n", b"53..7....", b"\x00" * 9])
def test_text_is_of_none_of_them(content: bytes) -> None:
    assert identify(content) is None
