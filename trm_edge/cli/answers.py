"""Answers of ``trm-edge solve``: judged, given or withheld, and as records for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trm_edge import records
from trm_edge.loop.halting import confidence
from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Entry, Task

Outcome = Literal["answered", "unsolved", "unsure"]
SOLUTION_FORMAT = records.Format("trm-edge.solution", 1)
BAD_LINE_FORMAT = records.Format("trm-edge.bad-line", 1)


@dataclass(frozen=True)
class SolutionRecord:
    """One line of ``solve --format json``, and one row of ``--format csv``.

    Args:
        index: position of the puzzle among those read, from 0; bad lines do not count.
        line: line of the puzzle in the source, from 1; a row of a dataset counts as a line.
        puzzle: as the task writes it.
        answer: as the task writes it; None where none is given, see ``outcome``.
        valid: the task's judgement; None where it cannot tell.
        correct: the answer equals the known one; None where none is known.
        steps: ACT steps taken.
        halted: the halting rule held; False: the steps ran out.
        q_halt: logit of the halting head at the last step.
        confidence: sigmoid(q_halt), the halting head's probability that the answer is right.
        outcome: ``answered``; ``unsolved`` where the answer breaks the task's rule and only valid
            ones are wanted; ``unsure`` where its confidence is too low.
        tries: number of tries at the puzzle.
        timed_out: the deadline ended the search for the answer.
        name: of the puzzle; None where the source does not name its puzzles.
    """

    index: int
    line: int
    puzzle: str
    answer: str | None
    valid: bool | None
    correct: bool | None
    steps: int
    halted: bool
    q_halt: float
    confidence: float
    outcome: Outcome
    tries: int
    timed_out: bool
    name: str | None = None


@dataclass(frozen=True)
class BadLineRecord:
    """A line of the source that is not a puzzle, in ``solve --format json``.

    Args:
        line: in the source, from 1.
        error: why it is not a puzzle.
    """

    line: int
    error: str


@dataclass(frozen=True)
class AnswerPolicy:
    """Which answers are given.

    Args:
        only_valid: only those that the task's rule accepts.
        min_confidence: only those with at least this confidence.
    """

    only_valid: bool = False
    min_confidence: float = 0.0

    def outcome(self, valid: bool | None, confidence: float) -> Outcome:
        """Decide about an answer.

        Args:
            valid: the task's judgement.
            confidence: of the answer, 0..1.
        """
        if self.only_valid and valid is not True:
            return "unsolved"
        if confidence < self.min_confidence:
            return "unsure"
        return "answered"


@dataclass(frozen=True)
class Answer:
    """A solution, with everything that is printed about it.

    Args:
        record: the solution for programs.
        entry: the puzzle.
        solution: as the solver gave it.
        task: that judged it.
    """

    record: SolutionRecord
    entry: Entry
    solution: Solution
    task: Task

    @property
    def problem(self) -> str | None:
        """Why the answer is wrong, where the task can tell."""
        return self.task.problem(self.entry.puzzle.tokens, self.solution.answer)

    @property
    def verdict(self) -> str:
        """The outcome or the task's judgement as text; empty where it cannot tell."""
        if self.record.outcome != "answered":
            return self.record.outcome
        if self.record.valid is None:
            return ""
        return "valid" if self.record.valid else f"not valid: {self.problem}"


def judge_answers(
    task: Task,
    entries: Sequence[Entry],
    solutions: Sequence[Solution],
    policy: AnswerPolicy | None = None,
) -> list[Answer]:
    """Judge solutions, which is much faster for many at a time.

    Args:
        task: of the bundle.
        entries: the puzzles.
        solutions: the answers to them, in the same order.
        policy: which answers are given; every one by default.
    """
    policy = policy or AnswerPolicy()
    tokens = np.stack([entry.puzzle.tokens for entry in entries])
    answers = np.stack([solution.answer for solution in solutions])
    q_halt = np.array([solution.q_halt[-1] for solution in solutions])
    confidences = confidence(q_halt).tolist()
    valid: Sequence[bool | None] = [None] * len(entries)
    if task.judges:
        valid = task.judge(tokens, answers).tolist()
    correct = compare_answers(task, entries, answers)
    puzzle_texts = task.texts(tokens)
    answer_texts = task.answer_texts(tokens, answers)
    judged = []
    for number, (entry, solution) in enumerate(zip(entries, solutions, strict=True)):
        outcome = policy.outcome(valid[number], confidences[number])
        record = SolutionRecord(
            index=solution.index,
            line=entry.line,
            puzzle=puzzle_texts[number],
            answer=answer_texts[number] if outcome == "answered" else None,
            valid=valid[number],
            correct=correct[number],
            steps=solution.steps,
            halted=solution.halted,
            q_halt=float(q_halt[number]),
            confidence=confidences[number],
            outcome=outcome,
            tries=solution.tries,
            timed_out=solution.timed_out,
            name=entry.name,
        )
        judged.append(Answer(record, entry, solution, task))
    return judged


def compare_answers(
    task: Task, entries: Sequence[Entry], answers: NDArray[Any]
) -> list[bool | None]:
    """Compare answers with the known ones.

    Args:
        task: of the bundle.
        entries: (n,) puzzles.
        answers: (n, L) token ids.

    Returns:
        (n,) whether they are equal; None where none is known.
    """
    correct: list[bool | None] = [None] * len(entries)
    known = []
    labels = []
    for number, entry in enumerate(entries):
        if entry.answer is not None:
            known.append(number)
            labels.append(entry.answer)
    if known:
        right = task.are_right(answers[known], np.stack(labels)).tolist()
        for number, is_right in zip(known, right, strict=True):
            correct[number] = is_right
    return correct
