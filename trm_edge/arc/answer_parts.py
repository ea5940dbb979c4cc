"""The answers of a run on disk: parts of a fixed number of rows, in the order of the questions.

Every part is replaced whole. What is kept in memory about the parts changes only after a part is
written, so a write that was interrupted can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trm_edge.arc.predictions import Predictions, read_predictions
from trm_edge.errors import OutputError

PART_ROWS = 4096  # of a file of predictions
_PARTS = f"predictions-{5 * '[0-9]'}.npz"
_ASKED_AGAIN = "their questions are asked again then"


class _Part(NamedTuple):
    """The last part.

    Args:
        number: of the part, from 1.
        rows: that are in its file.
    """

    number: int
    rows: Predictions

    @property
    def end(self) -> int:
        """Answers up to its last row."""
        return PART_ROWS * (self.number - 1) + len(self.rows)


class AnswerParts:
    """Reads the answers in the folder of a run, and adds to them.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Number and rows change together, so that no signal finds one without the other.
        self._last = _Part(1, Predictions.empty())

    def count(self) -> int:
        """Count the answers so far, of which the last part alone is read.

        The parts before it count as full; :meth:`stored` makes sure that they are.

        Raises:
            PuzzleError: the last part cannot be read.
        """
        paths = part_paths(self._folder)
        if not paths:
            return 0
        return PART_ROWS * (len(paths) - 1) + len(read_predictions(paths[-1]))

    def stored(self) -> Iterator[Predictions]:
        """Read the answers so far, part by part; :meth:`append` adds to them.

        Raises:
            PuzzleError: a part cannot be read.
            OutputError: a part before the last is missing or not full, or one has too many rows.
        """
        paths = part_paths(self._folder)
        for number, path in enumerate(paths, start=1):
            expected = self._path(number)
            if path != expected:
                raise OutputError(
                    f"{expected} is missing, so the run cannot go on. Copy it back, or delete the "
                    f"parts after it: {_ASKED_AGAIN}."
                )
            rows = read_predictions(path)
            _check_length(path, len(rows), is_last=number == len(paths))
            self._last = _Part(number, rows)
            yield rows

    def append(self, answers: Predictions, before: int) -> None:
        """Write further answers, each part whole or not at all.

        After an error or a signal the same call writes what is missing, and nothing twice.

        Args:
            answers: in the order in which they were asked for.
            before: answers of the run that come before these.

        Raises:
            OutputError: a part cannot be written; those before it are.
        """
        written = self._last.end - before  # of these answers, by a call that was interrupted
        while written < len(answers):
            number, rows = self._last
            if len(rows) >= PART_ROWS:
                number += 1
                rows = Predictions.empty()
            free = PART_ROWS - len(rows)
            rows = rows.joined(answers.rows(written, written + free))
            rows.write(self._path(number))
            self._last = _Part(number, rows)
            written = self._last.end - before

    def _path(self, number: int) -> Path:
        return self._folder / f"predictions-{number:05d}.npz"


class StoredAnswers:
    """The answers in a folder, read part by part as they are needed.

    Args:
        parts: of the run.

    Attributes:
        is_empty: there are no more.
    """

    def __init__(self, parts: AnswerParts) -> None:
        self.is_empty = False
        self._parts = parts.stored()
        self._rows = Predictions.empty()

    def take(self, count: int) -> Iterator[Predictions]:
        """Take the next answers in pieces, fewer where there are no more.

        Args:
            count: answers in all pieces.

        Raises:
            PuzzleError: a part cannot be read.
            OutputError: a part before the last is missing or not full, or one has too many rows.
        """
        while count:
            if not len(self._rows):
                part = next(self._parts, None)
                if part is None:
                    self.is_empty = True
                    return
                self._rows = part
            piece = self._rows.rows(0, count)
            self._rows = self._rows.rows(len(piece), len(self._rows))
            count -= len(piece)
            yield piece


def part_paths(folder: Path) -> list[Path]:
    """List the files of predictions in a run's folder, in the order of the answers.

    Args:
        folder: of the run.
    """
    return sorted(folder.glob(_PARTS))


def _check_length(path: Path, rows: int, *, is_last: bool) -> None:
    """Refuse a part after which the answers would not stand where they are looked for."""
    if rows > PART_ROWS:
        raise OutputError(
            f"{path} has {rows:,} answers, and a part has {PART_ROWS:,} at most, so the run cannot "
            f"go on. Copy it back as it was, or delete it and the parts after it: {_ASKED_AGAIN}."
        )
    if rows < PART_ROWS and not is_last:
        raise OutputError(
            f"{path} has {rows:,} of {PART_ROWS:,} answers, but there are parts after it, so the "
            "run cannot go on. Copy it back as it was, or delete the parts after it: "
            f"{_ASKED_AGAIN}."
        )
