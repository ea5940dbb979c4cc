"""Parity under voting: two submissions of the same tasks, such as float32's and INT8's.

An answer that flips under one augmentation is outvoted by the others, so what counts is what
becomes of the submission: scores, tasks lost and gained, and equal answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from trm_edge.arc.grid_agreement import GridAgreement, compare_grids, is_run
from trm_edge.arc.grids import Grid
from trm_edge.arc.scoring import Scores, attempt_places, read_solutions, score_places
from trm_edge.arc.submission import ATTEMPTS, Submission, read_submission
from trm_edge.arc.task import TaskProblem
from trm_edge.arc.voting import SUBMISSION_NAME
from trm_edge.errors import PuzzleError
from trm_edge.records import Format

COMPARISON_FORMAT = Format("trm-edge.arc-comparison", 1)
JUDGED = f"pass@{len(ATTEMPTS)}"  # score that a limit is held against


@dataclass(frozen=True)
class SubmissionComparison:
    """Output of ``trm-edge score --against --json``.

    Args:
        reference: the submission that is compared with.
        candidate: the submission that is judged.
        solutions: the file.
        tasks: in the solutions.
        outputs: test outputs in the solutions.
        unusable: tasks that are missing in a file or wrong.
        reference_scores: with one and two attempts.
        candidate_scores: with one and two attempts.
        drop: points of the published score with two attempts that the candidate loses; negative
            where it gains.
        tasks_lost: tasks of which the candidate has fewer outputs right with two attempts.
        tasks_gained: tasks of which it has more.
        outputs_lost: test outputs that the reference has right and the candidate has not.
        outputs_gained: the reverse.
        p_value: probability that chance alone flips outputs this unevenly.
        same_first: share of the test inputs with the same first answer.
        same_pair: share of the test inputs with the same two answers, in any order.
        grids: what is equal under single augmentations, where both are folders of runs.
    """

    reference: str
    candidate: str
    solutions: str
    tasks: int
    outputs: int
    unusable: int
    reference_scores: Scores
    candidate_scores: Scores
    drop: float
    tasks_lost: list[str]
    tasks_gained: list[str]
    outputs_lost: int
    outputs_gained: int
    p_value: float
    same_first: float
    same_pair: float
    grids: GridAgreement | None


def submission_path(path: Path) -> Path:
    """Find the submission of a run.

    Args:
        path: the file, or a folder that holds it.
    """
    return path / SUBMISSION_NAME if path.is_dir() else path


class Comparison(NamedTuple):
    """A comparison, and what could not be compared.

    Args:
        result: of the submissions as a whole.
        problems: tasks that are missing or wrong.
    """

    result: SubmissionComparison
    problems: list[TaskProblem]


def compare_submissions(reference: Path, candidate: Path, solutions: Path) -> Comparison:
    """Compare two submissions.

    Args:
        reference: a submission, or the folder of a run or of votes.
        candidate: likewise.
        solutions: outputs of the test inputs by task, or tasks that have them.

    Raises:
        PuzzleError: a file cannot be read, or a submission has no task of the solutions.
    """
    from trm_edge.evaluation.statistics import mcnemar_exact

    outputs, problems = read_solutions(solutions)
    before = _read(submission_path(reference), outputs, problems)
    after = _read(submission_path(candidate), outputs, problems)
    flips = _Flips.between(before.places, after.places)
    allowed = range(1, len(ATTEMPTS) + 1)
    before_scores = score_places(before.places, allowed)
    after_scores = score_places(after.places, allowed)
    same_first, same_pair = _equal_answers(before.answers, after.answers, outputs)
    grids = None
    if is_run(reference) and is_run(candidate):
        grids = compare_grids(reference, candidate, outputs)
    result = SubmissionComparison(
        reference=str(reference),
        candidate=str(candidate),
        solutions=str(solutions),
        tasks=len(outputs),
        outputs=sum(map(len, outputs.values())),
        unusable=len(problems),
        reference_scores=before_scores,
        candidate_scores=after_scores,
        drop=100 * (before_scores.published[JUDGED] - after_scores.published[JUDGED]),
        tasks_lost=flips.tasks_lost,
        tasks_gained=flips.tasks_gained,
        outputs_lost=flips.outputs_lost,
        outputs_gained=flips.outputs_gained,
        p_value=mcnemar_exact(flips.outputs_lost, flips.outputs_gained),
        same_first=same_first,
        same_pair=same_pair,
        grids=grids,
    )
    return Comparison(result, problems)


class _Scored(NamedTuple):
    """A submission, and the place of the right attempt at each output."""

    answers: Submission
    places: dict[str, list[int | None]]


def _read(
    path: Path, outputs: Mapping[str, Sequence[Grid]], problems: list[TaskProblem]
) -> _Scored:
    """Read a submission; tasks that cannot be compared are added to the problems."""
    read = read_submission(path)
    problems += read.problems
    if not set(read.tasks) & set(outputs):
        raise PuzzleError(
            f"{path} has no task that can be scored with these solutions. Pass the solutions of "
            "the same subset."
        )
    places = {}
    wrong = {problem.task for problem in problems}
    for task, grids in outputs.items():
        places[task], reason = attempt_places(read.tasks, task, grids)
        if reason and task not in wrong:
            problems.append(TaskProblem(str(path), task, reason))
    return _Scored(read.tasks, places)


@dataclass
class _Flips:
    """Outputs that one submission has right and the other has not."""

    tasks_lost: list[str] = field(default_factory=list)
    tasks_gained: list[str] = field(default_factory=list)
    outputs_lost: int = 0
    outputs_gained: int = 0

    @classmethod
    def between(
        cls,
        before: Mapping[str, Sequence[int | None]],
        after: Mapping[str, Sequence[int | None]],
    ) -> _Flips:
        """Compare the places of right attempts; any of the allowed attempts counts."""
        flips = cls()
        for task, places in before.items():
            changes = []
            for old, new in zip(places, after[task], strict=True):
                changes.append((new is not None) - (old is not None))
            flips.outputs_lost += changes.count(-1)
            flips.outputs_gained += changes.count(1)
            if sum(changes) < 0:
                flips.tasks_lost.append(task)
            elif sum(changes) > 0:
                flips.tasks_gained.append(task)
        return flips


def _equal_answers(
    before: Submission, after: Submission, outputs: Mapping[str, Sequence[Grid]]
) -> tuple[float, float]:
    """Shares of the test inputs with the same first answer, and with the same two."""
    inputs = 0
    same_first = 0
    same_pair = 0
    for task, grids in outputs.items():
        inputs += len(grids)
        # An input without an entry on either side is no agreement.
        for old, new in zip(before.get(task, []), after.get(task, []), strict=False):
            first, second = ATTEMPTS
            same_first += old[first] == new[first]
            crossed = old[first] == new[second] and old[second] == new[first]
            same_pair += old == new or crossed
    return same_first / inputs, same_pair / inputs
