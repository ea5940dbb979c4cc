"""The two scores of ARC-AGI: the published evaluator's and the competition's.

The published one is the share of a task's test inputs that are right, averaged over tasks; the
competition's is the share of all test outputs that are right. A task with several test inputs
weighs more in the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trm_edge.arc.grids import Grid, GridError, parse_grid
from trm_edge.arc.sources import LARGEST_FILE, read_object
from trm_edge.arc.submission import ATTEMPTS, GridLists, Submission, read_submission
from trm_edge.arc.task import TEST, ArcTask, TaskProblem
from trm_edge.arc.votes import Candidate
from trm_edge.errors import PuzzleError
from trm_edge.records import Format

SCORE_FORMAT = Format("trm-edge.arc-score", 1)
PLACES = (1, 2, 5, 10, 100, 1000)  # answers that the published evaluator allows


@dataclass(frozen=True)
class Scores:
    """Scores with K answers allowed, each 0 to 1 by ``pass@K``.

    Args:
        published: mean over tasks of the share of the task's test inputs that are right.
        competition: share of all test outputs that are right.
        whole_tasks: share of the tasks of which every test input is right, as HRM counts.
    """

    published: dict[str, float]
    competition: dict[str, float]
    whole_tasks: dict[str, float]


@dataclass(frozen=True)
class SubmissionScore:
    """Output of ``trm-edge score --json``.

    Args:
        submission: the file.
        solutions: the file.
        tasks: in the solutions.
        outputs: test outputs in the solutions.
        unusable: tasks that are missing in one of the files or wrong; those of the solutions count
            as not solved.
        scores: with one and two attempts.
    """

    submission: str
    solutions: str
    tasks: int
    outputs: int
    unusable: int
    scores: Scores


class ScoredSubmission(NamedTuple):
    """A score and what could not be scored.

    Args:
        score: of the whole submission.
        problems: tasks that are missing or wrong.
    """

    score: SubmissionScore
    problems: list[TaskProblem]


def score_places(places: Mapping[str, Sequence[int | None]], allowed: Sequence[int]) -> Scores:
    """Compute the scores.

    Args:
        places: for each test input of each task the place of the right answer, 0 for the first;
            None where it is not among the answers.
        allowed: the K of each score.
    """
    published = {}
    competition = {}
    whole_tasks = {}
    for count in allowed:
        shares = []
        solved = 0
        for task_places in places.values():
            right = [place is not None and place < count for place in task_places]
            shares.append(sum(right) / len(right))
            solved += sum(right)
        name = f"pass@{count}"
        published[name] = sum(shares) / len(shares)
        competition[name] = solved / sum(len(task_places) for task_places in places.values())
        whole_tasks[name] = sum(share == 1 for share in shares) / len(shares)
    return Scores(published, competition, whole_tasks)


def right_places(task: ArcTask, ranking: Sequence[Sequence[Candidate]]) -> list[int | None]:
    """Find the right answer to each test input of a task.

    Args:
        task: with its outputs.
        ranking: candidates of each test input, best first.

    Returns:
        The place of each, 0 for the first; None where it is not among the candidates.
    """
    places = []
    for pair, candidates in zip(task.tests, ranking, strict=True):
        answer = pair.answer()
        place = None
        for number, candidate in enumerate(candidates):
            if np.array_equal(candidate.grid, answer):
                place = number
                break
        places.append(place)
    return places


def score_submission(submission: Path, solutions: Path) -> ScoredSubmission:
    """Score a submission.

    Args:
        submission: the file, in the competition's form.
        solutions: outputs of the test inputs by task; or tasks that have them, such as a dataset's
            ``test_puzzles.json``.

    Raises:
        PuzzleError: a file cannot be read, or the two have no task in common.
    """
    answers, problems = read_submission(submission)
    outputs, output_problems = read_solutions(solutions)
    if not set(answers) & set(outputs):
        raise PuzzleError(
            f"{submission} and {solutions} have no task in common that can be scored. Pass the "
            "solutions of the same subset."
        )
    problems = problems + output_problems
    wrong = {problem.task for problem in problems}
    for task in answers:
        if task not in outputs and task not in wrong:
            reason = f"it has no solution in {solutions}"
            problems.append(TaskProblem(str(submission), task, reason))
    places = {}
    for task, grids in outputs.items():
        places[task], reason = attempt_places(answers, task, grids)
        if reason and task not in wrong:
            problems.append(TaskProblem(str(submission), task, reason))
    score = SubmissionScore(
        str(submission),
        str(solutions),
        len(outputs),
        sum(len(grids) for grids in outputs.values()),
        len(problems),
        score_places(places, range(1, len(ATTEMPTS) + 1)),
    )
    return ScoredSubmission(score, problems)


def attempt_places(
    answers: Submission, task: str, outputs: Sequence[Grid]
) -> tuple[list[int | None], str]:
    """Find the right attempt for each output of a task.

    Args:
        answers: the submission.
        task: its name.
        outputs: of its test inputs.

    Returns:
        The place of each, 0 for the first; None where neither is right. And why the task cannot be
        scored, or an empty text.
    """
    nowhere: list[int | None] = [None] * len(outputs)
    entries = answers.get(task)
    if entries is None:
        return nowhere, "it is missing, so it counts as not solved"
    if len(entries) != len(outputs):
        return nowhere, (
            f"it has {len(entries)} entries for {len(outputs)} test outputs, so it counts as not "
            "solved"
        )
    places = []
    for entry, output in zip(entries, outputs, strict=True):
        lists: GridLists = output.tolist()
        right = [number for number, name in enumerate(ATTEMPTS) if entry[name] == lists]
        places.append(right[0] if right else None)
    return places, ""


def read_solutions(path: Path) -> tuple[dict[str, list[Grid]], list[TaskProblem]]:
    """Read the outputs of test inputs by task.

    Args:
        path: a file of solutions, or of tasks that have them.

    Returns:
        The outputs, and the tasks that cannot be used.

    Raises:
        PuzzleError: the file cannot be read.
    """
    outputs = {}
    problems = []
    for task, value in read_object(path, LARGEST_FILE).items():
        try:
            outputs[task] = _outputs(value)
        except GridError as error:
            problems.append(TaskProblem(str(path), task, str(error)))
    return outputs, problems


def _outputs(value: Any) -> list[Grid]:
    """The outputs of a task, from a file of solutions or of whole tasks."""
    grids = value
    if isinstance(value, dict):
        tests = value.get(TEST)
        if not isinstance(tests, list) or not all(isinstance(pair, dict) for pair in tests):
            raise GridError("it must be a list of grids, or an object with test")
        grids = [pair.get("output") for pair in tests]
    if not isinstance(grids, list) or not grids:
        raise GridError("it must be a list of grids, one for each test input")
    outputs = []
    for number, grid in enumerate(grids, start=1):
        try:
            outputs.append(parse_grid(grid))
        except GridError as error:
            raise GridError(f"the output of test input {number}: {error}") from error
    return outputs
