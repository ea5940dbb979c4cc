"""Names of rows in files and bundles: read within bounds, and refused with a reason."""

from __future__ import annotations

import gzip
import json
import os
import tracemalloc
from pathlib import Path

import pytest

from trm_edge.identifiers import NamesError, RowNames, pack_names, read_names, unpack_names

NAMES = ["<blank>", "007bbfb7|||t3|||0192837465", "größe"]


def test_names_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "identifiers.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(NAMES).encode())
    assert read_names(path) == NAMES
    path.write_text('["<blank>", "<blank>", "a"]')  # rows that belong to no puzzle
    assert read_names(path) == ["<blank>", "<blank>", "a"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"[", "it is not JSON"),
        (b'["\xff"]', "it is not JSON"),
        (b"[" * 100_000, "it is not a list of names"),
        (b'{"<blank>": 0}', "it is not a list of names"),
        (b'["a", null]', "it is not a list of names"),
        (b'["a", "b", "a"]', "a is there twice, at 0 and 2"),
    ],
)
def test_what_does_not_name_rows(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "identifiers.json"
    path.write_bytes(content)
    with pytest.raises(NamesError, match=f"^{reason}$"):
        read_names(path)


def test_files_that_are_not_opened(tmp_path: Path) -> None:
    with pytest.raises(NamesError, match="it cannot be read: "):
        read_names(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NamesError, match="it is not a regular file"):
        read_names(tmp_path / "pipe")


def test_packed_names_are_the_same_again() -> None:
    assert unpack_names(pack_names(NAMES), 3) == NAMES


def test_a_table_of_published_size_is_compact() -> None:
    names = ["<blank>", *(f"{row:08x}|||t{row % 8}|||0123456789" for row in range(20_000))]
    packed = pack_names(names)
    assert len(packed) < 0.2 * len(json.dumps(names))
    assert unpack_names(packed, len(names)) == names


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not packed", "it is not packed with gzip"),
        (pack_names(NAMES)[:-6], "it is cut, or unpacks to more than 65,536 bytes"),
        (pack_names(NAMES[:2]), "it has 2 names for 3 rows"),
        (gzip.compress(b"[1, 2, 3]", mtime=0), "it is not a list of names"),
    ],
)
def test_packed_names_of_unknown_origin(content: bytes, reason: str) -> None:
    with pytest.raises(NamesError, match=reason):
        unpack_names(content, 3)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b'["' + bytes(64 << 20) + b'"]')
    tracemalloc.start()
    with pytest.raises(NamesError, match="unpacks to more than"):
        unpack_names(bomb, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_names_are_read_once_and_only_if_needed() -> None:
    calls: list[int] = []

    def read() -> list[str]:
        calls.append(1)
        return NAMES

    row_names = RowNames(read)
    assert calls == []
    assert row_names.names() is NAMES
    assert row_names.names() is NAMES
    assert calls == [1]
