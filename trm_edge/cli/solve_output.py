"""Output of ``trm-edge solve``: pictures, JSON lines or CSV."""

from __future__ import annotations

import csv
import os
import stat
from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import TextIO

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.text import Text

from trm_edge import records
from trm_edge.cli.answers import (
    BAD_LINE_FORMAT,
    SOLUTION_FORMAT,
    Answer,
    BadLineRecord,
    SolutionRecord,
)
from trm_edge.printable import printable
from trm_edge.tasks.base import BadLine, Task

# Frames, walls and paths where the output's encoding has no characters for them.
_ASCII = str.maketrans(
    "┌┐└┘├┤┬┴┼─│█━┃╸╺╹╻┏┓┗┛┣┫┳┻╋•",
    "+++++++++-|#-|--||+++++++++*",
)


class Writer(ABC):
    """Writes answers one by one, so that a stream of any length can be piped.

    Each answer is flushed at once, except into a file: whoever reads the pipe may be waiting.

    Args:
        task: of the bundle.
        out: takes the text.

    Attributes:
        buffers: nobody waits for an answer, so answers may be collected and judged together.
    """

    def __init__(self, task: Task, out: TextIO) -> None:
        self.task = task
        self.out = out
        self.buffers = _is_file(out)

    def write(self, answer: Answer) -> None:
        """Write one answer.

        Args:
            answer: the next one.

        Raises:
            OSError: it cannot be written.
        """
        self._write(answer)
        if not self.buffers:
            self.out.flush()

    def write_bad_line(self, bad_line: BadLine) -> None:  # noqa: B027 - optional
        """Write a line that is not a puzzle, where the format has a place for it.

        Args:
            bad_line: reported on standard error already.
        """

    @abstractmethod
    def _write(self, answer: Answer) -> None:
        """Write one answer without flushing it."""

    def finish(self) -> None:
        """Flush the output after the last answer.

        Raises:
            OSError: it cannot be written.
        """
        self.out.flush()

    def summary(self, valid: int, count: int) -> None:
        """Write a last line for people.

        Args:
            valid: answers that are right.
            count: all answers.
        """
        if self.task.judges:
            print(f"{valid} of {count} solved", file=self.out, flush=True)


def _is_file(out: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def encodable(text: str, encoding: str | None) -> str:
    """Replace the characters of pictures where an encoding does not have them.

    Args:
        text: of a picture.
        encoding: of the output; None: UTF-8.

    >>> encodable("│ 5 │", "ascii"), encodable("│ 5 │", "utf-8")
    ('| 5 |', '│ 5 │')
    """
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def picture(drawing: str, encoding: str | None = None) -> Text:
    """Turn a drawing into rich text whose rows are never wrapped.

    Args:
        drawing: as a task draws it, in rich's markup.
        encoding: of the output; None: UTF-8.
    """
    drawn = Text.from_markup(encodable(drawing, encoding), overflow="ignore")
    drawn.no_wrap = True
    return drawn


class TextWriter(Writer):
    """Draws the puzzle and its answer side by side, or one above the other where they are wide.

    Args:
        task: of the bundle.
        out: takes the text.
    """

    def __init__(self, task: Task, out: TextIO) -> None:
        super().__init__(task, out)
        self.console = Console(file=out, highlight=False)

    def _write(self, answer: Answer) -> None:
        tokens = answer.entry.puzzle.tokens
        encoding = getattr(self.out, "encoding", None)
        before = picture(self.task.draw(tokens), encoding)
        pictures = [before]
        if answer.record.outcome == "answered":
            pictures.append(picture(self.task.draw(answer.solution.answer, tokens), encoding))
        shown: RenderableType = Columns(pictures, padding=(0, 4))
        if max(row.cell_len for row in before.split()) > self.console.width:
            shown = Group(*pictures)  # columns would be cut
        self.console.print(shown, crop=False)
        steps = answer.record.steps
        noun = "step" if steps == 1 else "steps"
        parts = [f"{steps} {noun}"]
        if answer.record.tries > 1:
            parts.append(f"{answer.record.tries} tries")
        if answer.record.timed_out:
            parts.append("out of time")
        parts.append(f"confidence {100 * answer.solution.confidence:.1f} %")
        if answer.verdict:
            parts.append(answer.verdict)
        title = f"#{answer.record.index + 1}"
        if answer.record.name is not None:
            title = f"{title} ({printable(answer.record.name)})"
        self.console.print(f"{title}: {', '.join(parts)}\n", soft_wrap=True, markup=False)


class JsonWriter(Writer):
    """Writes one JSON object a line."""

    def _write(self, answer: Answer) -> None:
        self.out.write(records.encode(answer.record, SOLUTION_FORMAT, indent=0))

    def write_bad_line(self, bad_line: BadLine) -> None:
        """Write a line that is not a puzzle as an object of its own.

        Args:
            bad_line: the line.
        """
        encoding = getattr(self.out, "encoding", None) or "utf-8"
        reason = bad_line.reason.encode(encoding, "backslashreplace").decode(encoding)
        record = BadLineRecord(bad_line.line, reason)
        self.out.write(records.encode(record, BAD_LINE_FORMAT, indent=0))
        if not self.buffers:
            self.out.flush()


class CsvWriter(Writer):
    """Writes a CSV table with a header.

    Args:
        task: of the bundle.
        out: takes the text.
    """

    def __init__(self, task: Task, out: TextIO) -> None:
        super().__init__(task, out)
        self._rows = csv.writer(out, lineterminator="\n")
        self._rows.writerow(SolutionRecord.__dataclass_fields__)

    def _write(self, answer: Answer) -> None:
        values = asdict(answer.record)
        for name, value in values.items():
            if value is None:
                values[name] = ""
            elif isinstance(value, bool):
                values[name] = str(value).lower()
        values["q_halt"] = f"{answer.record.q_halt:.6g}"
        values["confidence"] = f"{answer.record.confidence:.6g}"
        self._rows.writerow(values.values())


FORMATS: dict[str, type[Writer]] = {"text": TextWriter, "json": JsonWriter, "csv": CsvWriter}
