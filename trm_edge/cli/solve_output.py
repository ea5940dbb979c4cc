"""Output of ``trm-edge solve``: pictures, JSON lines or CSV."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.text import Text

from trm_edge import records
from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Entry, Task

SOLUTION_FORMAT = records.Format("trm-edge.solution", 1)


@dataclass(frozen=True)
class SolutionRecord:
    """One line of ``solve --format json``, and one row of ``--format csv``.

    Args:
        index: position of the puzzle among those read, from 0; bad lines do not count.
        puzzle: as the task writes it.
        answer: as the task writes it.
        valid: the task's judgement; None where it cannot tell.
        steps: ACT steps taken.
        q_halt: logit of the halting head at the last step.
    """

    index: int
    puzzle: str
    answer: str
    valid: bool | None
    steps: int
    q_halt: float


@dataclass(frozen=True)
class Answer:
    """A solution, with everything that is printed about it.

    Args:
        record: the solution for programs.
        problem: why the answer is wrong, where the task can tell.
        entry: the puzzle.
        solution: as the solver gave it.
    """

    record: SolutionRecord
    problem: str | None
    entry: Entry
    solution: Solution

    @classmethod
    def of(cls, task: Task, entry: Entry, solution: Solution) -> Answer:
        """Judge a solution.

        Args:
            task: of the bundle.
            entry: the puzzle.
            solution: the answer to it.
        """
        tokens = entry.puzzle.tokens
        problem = task.problem(tokens, solution.answer)
        valid: bool | None = None
        if task.judges:
            valid = problem is None
        record = SolutionRecord(
            index=solution.index,
            puzzle=task.text(tokens),
            answer=task.text(solution.answer),
            valid=valid,
            steps=solution.steps,
            q_halt=float(solution.q_halt[-1]),
        )
        return cls(record, problem, entry, solution)

    @property
    def verdict(self) -> str:
        """The task's judgement as text; empty where it cannot tell."""
        if self.record.valid is None:
            return ""
        return "valid" if self.record.valid else f"not valid: {self.problem}"


class Writer(ABC):
    """Writes answers one by one, so that a stream of any length can be piped.

    Args:
        task: of the bundle.
        out: takes the text.
    """

    def __init__(self, task: Task, out: TextIO) -> None:
        self.task = task
        self.out = out

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Write one answer.

        Args:
            answer: the next one.
        """

    def finish(self) -> None:
        """Flush the output after the last answer."""
        self.out.flush()

    def summary(self, valid: int, count: int) -> None:
        """Write a last line for people.

        Args:
            valid: answers that are right.
            count: all answers.
        """
        if self.task.judges:
            print(f"{valid} of {count} solved", file=self.out)


def picture(task: Task, tokens: NDArray[Any], puzzle: NDArray[Any] | None = None) -> Text:
    """Draw a puzzle or answer as rich text whose rows are never wrapped.

    Args:
        task: of the bundle.
        tokens: (L,) token ids.
        puzzle: (L,) token ids of the puzzle; cells that differ from it stand out.
    """
    drawn = Text.from_markup(task.draw(tokens, puzzle), overflow="ignore")
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

    def write(self, answer: Answer) -> None:
        """Draw one answer.

        Args:
            answer: the next one.
        """
        tokens = answer.entry.puzzle.tokens
        before = picture(self.task, tokens)
        after = picture(self.task, answer.solution.answer, tokens)
        shown: RenderableType = Columns([before, after], padding=(0, 4))
        if max(row.cell_len for row in before.split()) > self.console.width:
            shown = Group(before, after)  # columns would be cut
        self.console.print(shown, crop=False)
        steps = answer.record.steps
        noun = "step" if steps == 1 else "steps"
        parts = [f"{steps} {noun}", f"confidence {100 * answer.solution.confidence:.1f} %"]
        if answer.verdict:
            parts.append(answer.verdict)
        self.console.print(f"#{answer.record.index + 1}: {', '.join(parts)}\n", soft_wrap=True)


class JsonWriter(Writer):
    """Writes one JSON object a line."""

    def write(self, answer: Answer) -> None:
        """Write one answer as a line.

        Args:
            answer: the next one.
        """
        self.out.write(records.encode(answer.record, SOLUTION_FORMAT, indent=0))


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

    def write(self, answer: Answer) -> None:
        """Write one answer as a row.

        Args:
            answer: the next one.
        """
        values = asdict(answer.record)
        valid = answer.record.valid
        values["valid"] = "" if valid is None else str(valid).lower()
        values["q_halt"] = f"{answer.record.q_halt:.6g}"
        self._rows.writerow(values.values())


FORMATS: dict[str, type[Writer]] = {"text": TextWriter, "json": JsonWriter, "csv": CsvWriter}
