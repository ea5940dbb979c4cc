"""The answers in the competition's form: two attempts for every test input of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict

import msgspec

from trm_edge.arc.grids import GridError, GridRows, parse_grid
from trm_edge.arc.sources import LARGEST_FILE, read_object
from trm_edge.arc.task import TaskProblem
from trm_edge.arc.votes import Candidate
from trm_edge.files import write_text

ATTEMPTS = ("attempt_1", "attempt_2")
PLACEHOLDER = [[0, 0], [0, 0]]  # of a test input without an answer

GridLists = list[list[int]]  # a grid as JSON has it; [] for one without cells
Submission = dict[str, list[dict[str, GridLists]]]  # by task, an entry for each test input


class AttemptPair(TypedDict):
    """The entry of a test input.

    Args:
        attempt_1: the first answer.
        attempt_2: the second answer.
    """

    attempt_1: GridRows
    attempt_2: GridRows


# Of which trm_edge/schemas has the JSON Schema.
SubmissionFile = dict[str, Annotated[list[AttemptPair], msgspec.Meta(min_length=1)]]


class SubmissionError(ValueError):
    """A task's entry is not one of a submission; the message is a clause that says why."""


class ReadSubmission(NamedTuple):
    """A submission that was read.

    Args:
        tasks: by task, an entry for each test input.
        problems: tasks whose entries are wrong.
    """

    tasks: Submission
    problems: list[TaskProblem]


def build_submission(rankings: Mapping[str, Sequence[Sequence[Candidate]]]) -> Submission:
    """Take the two best answers to each test input.

    Args:
        rankings: candidates of each test input, best first, by task.

    Returns:
        An entry for every test input. A single candidate is both attempts, and none leaves a
        placeholder.
    """
    submission: Submission = {}
    for task, inputs in rankings.items():
        submission[task] = [_entry(candidates) for candidates in inputs]
    return submission


def _entry(candidates: Sequence[Candidate]) -> dict[str, GridLists]:
    if not candidates:
        return dict.fromkeys(ATTEMPTS, PLACEHOLDER)
    attempts = {}
    for place, attempt in enumerate(ATTEMPTS):
        best = candidates[min(place, len(candidates) - 1)]
        attempts[attempt] = best.grid.tolist()
    return attempts


def write_submission(path: Path, submission: Submission) -> None:
    """Check a submission and write it, whole or not at all.

    Args:
        path: the file; one that exists is replaced.
        submission: by task, an entry for each test input.

    Raises:
        SubmissionError: an entry is not one of a submission.
        OutputError: the file cannot be written.
    """
    for entries in submission.values():
        check_entries(entries)
    try:
        msgspec.convert(submission, SubmissionFile)
    except msgspec.ValidationError as error:
        raise SubmissionError(str(error)) from error
    write_text(path, msgspec.json.encode(submission).decode("ascii"))


def read_submission(path: Path) -> ReadSubmission:
    """Read a submission.

    Args:
        path: the file.

    Raises:
        PuzzleError: it cannot be read, is not JSON or holds no object.
    """
    tasks: Submission = {}
    problems = []
    for task, entries in read_object(path, LARGEST_FILE).items():
        try:
            check_entries(entries)
            tasks[task] = entries
        except SubmissionError as error:
            problems.append(TaskProblem(str(path), task, str(error)))
    return ReadSubmission(tasks, problems)


def check_entries(entries: Any) -> None:
    """Check what a submission holds for a task.

    Args:
        entries: as parsed.

    Raises:
        SubmissionError: it is no list of objects with two attempts, each a grid or ``[]``.
    """
    if not isinstance(entries, list):
        raise SubmissionError("it must be a list with an entry for each test input")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise SubmissionError(f"entry {number} must be an object with {' and '.join(ATTEMPTS)}")
        for attempt in ATTEMPTS:
            if attempt not in entry:
                raise SubmissionError(f"entry {number} has no {attempt!r}")
            if entry[attempt] == []:
                continue
            try:
                parse_grid(entry[attempt])
            except GridError as error:
                raise SubmissionError(f"{attempt} of entry {number}: {error}") from error
