"""Rows from a file of text, one a line, which tell how much of the file was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trm_edge.batch.source import Reading, RowSource
from trm_edge.cli.solve_input import MAX_COUNTED
from trm_edge.errors import PuzzleError
from trm_edge.tasks.lines import Lines, open_lines
from trm_edge.tasks.text_formats import numbered


class LineSource(RowSource):
    """Rows from a file of text, one on each line that is not empty.

    Args:
        path: of the file, packed with gzip or not.
    """

    header_lines = 0

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), (path,))

    def count(self) -> int | None:
        """Count the lines where the file is not large; None where it is, or cannot be read."""
        if not is_quick(self.files[0]):
            return None
        try:
            lines = sum(1 for _ in self.lines())
        except PuzzleError:
            return None  # whoever reads the rows says why
        return max(lines - self.header_lines, 0)

    def lines(self, reading: Reading | None = None) -> Iterator[tuple[int, str]]:
        """Read the lines that are not empty, numbered from 1, those of the header included.

        Args:
            reading: is told how much of the file was read.

        Raises:
            PuzzleError: the file cannot be read.
        """
        return filled_lines(open_reading(self.files[0], reading))


def open_reading(path: Path, reading: Reading | None) -> Lines:
    """Open a file of text whose position is followed.

    Args:
        path: of the file, packed with gzip or not.
        reading: is told how much of the file was read; None: nobody asks.

    Raises:
        PuzzleError: the file cannot be opened.
    """
    lines = open_lines(path)
    if reading is not None:
        reading.share = lambda: lines.share_read
    return lines


def filled_lines(lines: Lines) -> Iterator[tuple[int, str]]:
    """Number lines from 1, and leave out those that are empty.

    Args:
        lines: of a file.
    """
    for number, line in numbered(lines):
        if line.strip():
            yield number, line


def is_quick(path: Path) -> bool:
    """Tell whether a file is small enough to be read once more for the number of its rows.

    Args:
        path: of the file.
    """
    try:
        return path.is_file() and path.stat().st_size < MAX_COUNTED
    except OSError:
        return False
