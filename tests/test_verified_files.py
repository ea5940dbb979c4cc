"""Files are used only if they are the ones that were recorded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from trm_edge.errors import BundleError
from trm_edge.manifest import FileRecord
from trm_edge.progress import Metered, Track
from trm_edge.verified_files import VerifiedFiles, stamp_of


@pytest.fixture
def files(tmp_path: Path) -> VerifiedFiles:
    records = {}
    for name in ("a", "b"):
        content = name.encode() * 100
        (tmp_path / name).write_bytes(content)
        records[name] = FileRecord(hashlib.sha256(content).hexdigest(), len(content))
    return VerifiedFiles(tmp_path, records)


def test_files_are_handed_out_from_their_start(files: VerifiedFiles) -> None:
    files.verify_all()
    for _ in range(2):
        with files.open("a") as file:
            assert file.read() == b"a" * 100
    assert files.read("b") == b"b" * 100


def test_a_file_that_changes_after_it_was_verified(files: VerifiedFiles) -> None:
    files.verify_all()
    path = files.folder / "a"
    path.write_bytes(b"c" * 100)
    os.utime(path, ns=(1, 1))
    with pytest.raises(BundleError, match="a is not what was exported"):
        files.open("a")
    with pytest.raises(BundleError, match="a is not what was exported"):
        files.read("a")


def test_no_descriptor_is_left_open(files: VerifiedFiles) -> None:
    (files.folder / "a").write_bytes(b"c" * 100)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(BundleError):
            files.verify_all()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_stamps_tell_files_apart(files: VerifiedFiles) -> None:
    path = files.folder / "a"
    stamp = stamp_of(path)
    assert stamp
    assert stamp_of(path) == stamp
    other = files.folder / "other"
    other.write_bytes(path.read_bytes())
    other.replace(path)
    assert stamp_of(path) != stamp
    assert stamp_of(files.folder / "nowhere") == ()


def test_large_files_are_hashed_only_on_demand(files: VerifiedFiles) -> None:
    by_size = VerifiedFiles(files.folder, files.records, ["a"])
    path = files.folder / "a"
    path.write_bytes(b"c" * 100)
    by_size.verify_all()
    by_size.open("a").close()
    with pytest.raises(BundleError, match="a is not what was exported"):
        by_size.hash_all()
    path.write_bytes(b"a" * 100)
    assert by_size.hash_all() == 200
    path.write_bytes(b"a" * 99)
    with pytest.raises(BundleError, match="a has 99 bytes, but 100 were written"):
        by_size.verify_all()


def test_hashing_reports_the_bytes(files: VerifiedFiles) -> None:
    shares = []

    def track(items: Metered[str], description: str, total: int | None = None) -> Iterator[str]:
        assert (description, total) == ("hashing the files", 2)
        assert items.done is not None
        for item in items:
            shares.append(items.done())
            yield item
        shares.append(items.done())

    files.hash_all(cast("Track", track))
    assert shares == [0, 1, 2]
