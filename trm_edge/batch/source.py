"""Where rows come from: a source hands them out in blocks, and can be read more than once."""

from __future__ import annotations

import hashlib
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from trm_edge.errors import PuzzleError
from trm_edge.files import error_reason, hash_open_file, open_regular
from trm_edge.progress import Track, silent
from trm_edge.tasks.blocks import BLOCK

BLOCK_ROWS = BLOCK
Blocks: TypeAlias = Generator[pa.Table, None, None]  # closing it closes the file


class Reading:
    """How far a source was read, to tell how long the rest takes.

    Attributes:
        rows: that were handed out.
        share: returns how much of the input was read, from 0 to 1; None where that is not known.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.share: Callable[[], float | None] = _unknown

    def counted(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Count the rows of blocks.

        Args:
            blocks: of the source, from the first one.
        """
        for block in blocks:
            self.rows += len(block)
            yield block

    def total(self) -> float | None:
        """Estimate the rows of the source from those so far; None where nothing is known."""
        share = self.share()
        return self.rows / share if share and self.rows else None


class RowSource(ABC):
    """Rows that can be read again and again, in the same order.

    Args:
        name: of the source, for messages.
        files: that it reads, in the order of their rows.

    Attributes:
        name: as above.
        files: as above.
        has_ids: rows have ids of their own; otherwise their place is their id.
    """

    has_ids: bool = False

    def __init__(self, name: str, files: tuple[Path, ...]) -> None:
        self.name = name
        self.files = files
        self._stamps: list[tuple[int, int]] = []  # of the files when they were hashed
        self._machine = platform.node()  # on which they were

    @abstractmethod
    def blocks(self, reading: Reading | None = None) -> Blocks:
        """Read the rows from the first one.

        Args:
            reading: is told how much of the input was read, where the source knows.

        Returns:
            Tables of at most ``BLOCK_ROWS`` rows with the columns of ``ROW_SCHEMA``.

        Raises:
            PuzzleError: the source cannot be read, or is damaged.
        """

    def ids(self) -> Iterator[pa.ChunkedArray]:
        """Read the ids alone, in the order of the rows.

        Returns:
            Ids as text: empty where a row should have one and has not, null where the row itself
            cannot be read.

        Raises:
            PuzzleError: the source cannot be read, or is damaged.
        """
        for block in self.blocks():
            yield block["id"]

    def count(self) -> int | None:
        """Count the rows where that is quick; None where it is not."""
        return None

    def shares(self) -> list[RowSource]:
        """Split the source into parts that can be read apart.

        Returns:
            Sources that together hand out the same rows, each with its place in the whole.
        """
        return [self]

    def sha256(self, track: Track = silent) -> str:
        """Compute a hash of everything that the rows come from.

        Args:
            track: reports the files.

        Returns:
            Of the hashes of all files in their order, in hexadecimal; names and dates do not count.

        Raises:
            PuzzleError: a file cannot be read.
        """
        digest = hashlib.sha256()
        self._stamps = [_stamp(path) for path in self.files]
        for path in track(self.files, "reading the input", len(self.files)):
            try:
                with open_regular(path) as file:
                    digest.update(bytes.fromhex(hash_open_file(file)))
            except OSError as error:
                raise PuzzleError(f"cannot read {path}: {error_reason(error)}.") from error
        return digest.hexdigest()

    def check_unchanged(self) -> None:
        """Compare the sizes and dates of the files with those when they were hashed.

        On another machine the files may be copies with dates of their own: there sizes alone count.

        Raises:
            PuzzleError: a file has changed; names it.
        """
        same_machine = platform.node() == self._machine
        for path, (size, date) in zip(self.files, self._stamps, strict=False):
            size_now, date_now = _stamp(path)
            if size_now != size or (same_machine and date_now != date):
                raise PuzzleError(
                    f"{path} was changed or removed while it was read. The answers that are "
                    "written are to what it held before: put it back, and the same command goes "
                    "on, or choose another folder for what it holds now."
                )


def _stamp(path: Path) -> tuple[int, int]:
    """Size and date of a file; of one that is gone, what no file has."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _unknown() -> float | None:
    return None
