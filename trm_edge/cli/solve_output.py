"""The three ways in which `trm-edge solve` prints answers."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TextIO

from numpy.typing import NDArray
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.text import Text

from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Entry, Task


@dataclass(frozen=True)
class Answer:
    """One line of output."""

    index: int
    puzzle: str
    answer: str
    valid: bool | None  # None where the task cannot tell
    problem: str | None
    steps: int
    q_halt: float
    confidence: float  # sigmoid(q_halt)
    entry: Entry
    solution: Solution

    @classmethod
    def of(cls, task: Task, entry: Entry, solution: Solution) -> Answer:
        tokens = entry.puzzle.tokens
        problem = task.problem(tokens, solution.answer)
        return cls(
            index=solution.index,
            puzzle=task.text(tokens),
            answer=task.text(solution.answer),
            valid=problem is None if task.judges else None,
            problem=problem,
            steps=solution.steps,
            q_halt=float(solution.q_halt[-1]),
            confidence=solution.confidence,
            entry=entry,
            solution=solution,
        )

    @property
    def verdict(self) -> str:
        if self.valid is None:
            return ""
        return "valid" if self.valid else f"not valid: {self.problem}"


class Writer(ABC):
    """Writes answers one by one, so that a stream of any length can be piped."""

    def __init__(self, task: Task, out: TextIO) -> None:
        self.task = task
        self.out = out

    @abstractmethod
    def write(self, answer: Answer) -> None: ...

    def finish(self) -> None:
        self.out.flush()

    def summary(self, solved: int, count: int) -> None:
        """Only where people read."""
        if self.task.judges:
            print(f"{solved} of {count} solved", file=self.out)


def picture(task: Task, tokens: NDArray[Any], given: NDArray[Any] | None = None) -> Text:
    """What the task draws; a wrapped row would be none, so no row is."""
    drawn = Text.from_markup(task.draw(tokens, given), overflow="ignore")
    drawn.no_wrap = True
    return drawn


class TextWriter(Writer):
    def __init__(self, task: Task, out: TextIO) -> None:
        super().__init__(task, out)
        self.console = Console(file=out, highlight=False)

    def write(self, answer: Answer) -> None:
        tokens = answer.entry.puzzle.tokens
        pictures = (
            picture(self.task, tokens),
            picture(self.task, answer.solution.answer, tokens),
        )
        shown: RenderableType = Columns(pictures, padding=(0, 4))
        if max(row.cell_len for row in pictures[0].split()) > self.console.width:
            shown = Group(*pictures)  # columns would be cut
        self.console.print(shown, crop=False)
        steps = "1 step" if answer.steps == 1 else f"{answer.steps} steps"
        verdict = f", {answer.verdict}" if answer.verdict else ""
        self.console.print(
            f"#{answer.index + 1}: {steps}, {100 * answer.confidence:.1f} % sure{verdict}\n",
            soft_wrap=True,
        )


class JsonWriter(Writer):
    def write(self, answer: Answer) -> None:
        line = {
            "index": answer.index,
            "puzzle": answer.puzzle,
            "answer": answer.answer,
            "valid": answer.valid,
            "steps": answer.steps,
            "q_halt": answer.q_halt,
        }
        self.out.write(json.dumps(line) + "\n")


class CsvWriter(Writer):
    def __init__(self, task: Task, out: TextIO) -> None:
        super().__init__(task, out)
        self.rows = csv.writer(out, lineterminator="\n")
        self.rows.writerow(["index", "puzzle", "answer", "valid", "steps", "q_halt"])

    def write(self, answer: Answer) -> None:
        valid = "" if answer.valid is None else str(answer.valid).lower()
        self.rows.writerow(
            [
                answer.index,
                answer.puzzle,
                answer.answer,
                valid,
                answer.steps,
                f"{answer.q_halt:.6g}",
            ]
        )


FORMATS: dict[str, type[Writer]] = {"text": TextWriter, "json": JsonWriter, "csv": CsvWriter}
