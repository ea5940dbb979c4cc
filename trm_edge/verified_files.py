"""The files of a bundle's folder, each used only if it is the one that the manifest records."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO

from trm_edge.errors import BundleError
from trm_edge.files import hash_open_file, open_regular
from trm_edge.manifest import FileRecord
from trm_edge.progress import Metered, Track, silent

Stamp = tuple[int, ...]


class VerifiedFiles:
    """Opens files whose size and sha256 are recorded, and refuses others.

    Args:
        folder: the bundle's folder; no file is read outside of it.
        records: sizes and hashes by path inside the folder.
        by_size: files that take long to hash: only their size is compared when they are opened.
    """

    def __init__(
        self, folder: Path, records: Mapping[str, FileRecord], by_size: Collection[str] = ()
    ) -> None:
        self.folder = folder
        self.records = records
        self.by_size = frozenset(by_size)
        self._verified: dict[str, Stamp] = {}  # of the files that were hashed

    def hash_all(self, track: Track = silent) -> int:
        """Hash every file again, those of ``by_size`` included.

        Args:
            track: reports the files.

        Returns:
            The bytes of all files.

        Raises:
            BundleError: a file is missing, truncated or changed; names the first.
        """
        total = sum(record.size for record in self.records.values())
        hashed = 0

        def report(size: int) -> None:
            """Count what was hashed."""
            nonlocal hashed
            hashed += size

        def share() -> float:
            """How many files the bytes so far are worth."""
            return len(self.records) * hashed / max(total, 1)

        names = Metered(self.records, "files", share)
        for name in track(names, "hashing the files", len(self.records)):
            with self._open(name) as file:
                stamp = stamp_of(file.fileno())
                self._require_hash(name, hash_open_file(file, report))
                self._verified[name] = stamp
        return total

    def verify_all(self) -> None:
        """Hash every file, and compare the size of those that take long to hash.

        Raises:
            BundleError: a file is missing, truncated or changed; names it.
        """
        for name in self.records:
            self.open(name).close()

    def open(self, name: str) -> BinaryIO:
        """Open a file at its start.

        It is hashed unless that was done since it was written, or its size alone is to be compared.

        Args:
            name: path inside the folder, one of the records.

        Raises:
            BundleError: it is missing, is not a regular file or was changed; names it.
        """
        file = self._open(name)
        try:
            stamp = stamp_of(file.fileno())
            if name not in self.by_size and stamp != self._verified.get(name):
                self._require_hash(name, hash_open_file(file))
                self._verified[name] = stamp
                file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def read(self, name: str) -> bytes:
        """Read a file and verify what was read.

        Args:
            name: path inside the folder, one of the records.

        Raises:
            BundleError: it is missing, is not a regular file or was changed; names it.
        """
        with self._open(name) as file:
            content = file.read()
        self._require_hash(name, hashlib.sha256(content).hexdigest())
        return content

    def _open(self, name: str) -> BinaryIO:
        """Open a file that lies in the folder and has the recorded size."""
        path = self.folder / name
        record = self.records[name]
        if not _lies_in(path, self.folder):
            raise BundleError(f"{path} is a link that leads out of the bundle; do not use it.")
        try:
            file = open_regular(path)
        except FileNotFoundError as error:
            raise BundleError(
                f"{path} is missing: the bundle is incomplete. Export it again."
            ) from error
        except OSError as error:
            reason = error.strerror or error
            raise BundleError(f"{path} cannot be read: {reason}. Export it again.") from error
        size = os.fstat(file.fileno()).st_size
        if size != record.size:
            file.close()
            raise BundleError(
                f"{path} has {size} bytes, but {record.size} were written: the bundle is "
                "truncated or was changed. Copy or export it again."
            )
        return file

    def _require_hash(self, name: str, sha256: str) -> None:
        if sha256 != self.records[name].sha256:
            raise BundleError(
                f"{self.folder / name} is not what was exported (its sha256 differs from the "
                "manifest's): the bundle is damaged or was tampered with. Copy or export it again."
            )


def stamp_of(file: Path | int) -> Stamp:
    """Identify the content of a file without reading it.

    Args:
        file: its path, or a descriptor open on it.

    Returns:
        Device, inode, size and times; empty where there is no such file.
    """
    try:
        status = os.stat(file)  # noqa: PTH116 (of a descriptor too)
    except (OSError, ValueError):
        return ()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _lies_in(path: Path, folder: Path) -> bool:
    """Tell whether a path stays in a folder once every link is followed."""
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):
        return False
