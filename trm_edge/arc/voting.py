"""From the predictions of one run or several to a submission, a ranking and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec

from trm_edge import records
from trm_edge.arc.grids import GridRows
from trm_edge.arc.predictions import read_predictions
from trm_edge.arc.scoring import PLACES, Scores, right_places, score_places
from trm_edge.arc.submission import build_submission, write_submission
from trm_edge.arc.test_set import TestSet
from trm_edge.arc.votes import Candidate, VoteCount, VoteOrder
from trm_edge.errors import PuzzleError
from trm_edge.files import write_text
from trm_edge.progress import Track, silent
from trm_edge.records import Format

METRICS_FORMAT = Format("trm-edge.arc-metrics", 1)
METRICS_NAME = "metrics.json"
RANKING_NAME = "ranking.json"
SUBMISSION_NAME = "submission.json"


class CountedAnswer(TypedDict):
    """What is known of every answer.

    Args:
        votes: rows with this answer.
        confidence: mean of sigmoid(q_halt) of those rows, 0 to 1.
    """

    votes: Annotated[int, msgspec.Meta(ge=1)]
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)]


class RankedAnswer(CountedAnswer, total=False):
    """An answer of the ranking.

    Args:
        grid: the answer; the first ones have theirs.
    """

    grid: GridRows


# Of which trm_edge/schemas has the JSON Schema.


RankingFile = dict[str, list[list[RankedAnswer]]]
Rankings = dict[str, list[list[Candidate]]]  # by task, for each test input, best first


@dataclass(frozen=True)
class VoteMetrics:
    """What votes are worth, as ``metrics.json`` has it.

    Args:
        tasks: that the dataset asks.
        test_inputs: of those tasks.
        unanswered: test inputs without any prediction; the submission has placeholders for them.
        votes: rows that were counted.
        ignored: rows whose question is no test input.
        scores: with 1, 2, 5, 10, 100 and 1000 answers; they mean something only if the dataset
            knows the outputs.
    """

    tasks: int
    test_inputs: int
    unanswered: int
    votes: int
    ignored: int
    scores: Scores


@dataclass(frozen=True)
class VoteResult:
    """Votes, counted.

    Args:
        rankings: candidates by task.
        metrics: what they are worth.
    """

    rankings: Rankings
    metrics: VoteMetrics


def count_votes(
    test_set: TestSet,
    predictions: Sequence[Path],
    *,
    order: VoteOrder = "votes",
    track: Track = silent,
) -> VoteResult:
    """Count the votes of one run or of several.

    Args:
        test_set: the tasks, and the names of the rows.
        predictions: ``.npz`` files, in the order of arrival; their votes add up.
        order: of the candidates.
        track: shows progress.

    Raises:
        PuzzleError: a file cannot be read, or no row of any belongs to a test input.
    """
    count = VoteCount(test_set, order)
    for path in track(predictions, "count votes"):
        rows = read_predictions(path)
        try:
            count.add(rows)
        except PuzzleError as error:
            raise PuzzleError(f"{path}: {error}") from error
    if not count.counted:
        raise PuzzleError(
            f"no row of the predictions asks a test input of {test_set.folder}. Pass the dataset "
            "that the predictions were made from."
        )
    return vote_result(test_set, count)


def vote_result(test_set: TestSet, count: VoteCount) -> VoteResult:
    """Rank the candidates of every test input, and score them.

    Args:
        test_set: the tasks.
        count: of their votes.
    """
    rankings = {}
    places = {}
    for name, task in test_set.tasks.items():
        rankings[name] = count.ranking(name)
        places[name] = right_places(task, rankings[name])
    inputs = [candidates for ranking in rankings.values() for candidates in ranking]
    metrics = VoteMetrics(
        tasks=len(rankings),
        test_inputs=len(inputs),
        unanswered=sum(not candidates for candidates in inputs),
        votes=count.counted,
        ignored=count.ignored,
        scores=score_places(places, PLACES),
    )
    return VoteResult(rankings, metrics)


def write_votes(folder: Path, result: VoteResult, grids: int) -> None:
    """Write ``submission.json``, ``ranking.json`` and ``metrics.json``, each whole or not at all.

    Args:
        folder: that takes them.
        result: the votes.
        grids: candidates of each test input whose grid the ranking has.

    Raises:
        OutputError: a file cannot be written.
    """
    write_submission(folder / SUBMISSION_NAME, build_submission(result.rankings))
    write_ranking(folder / RANKING_NAME, result.rankings, grids)
    records.write(folder / METRICS_NAME, result.metrics, METRICS_FORMAT)


def write_ranking(path: Path, rankings: Rankings, grids: int) -> None:
    """Write all candidates with their votes, whole or not at all.

    Args:
        path: the file.
        rankings: the candidates.
        grids: candidates of each test input that have their grid in the file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, _ranking_text(rankings, grids))


def _ranking_text(rankings: Rankings, grids: int) -> str:
    content: dict[str, list[list[dict[str, Any]]]] = {}
    for task, inputs in rankings.items():
        content[task] = []
        for candidates in inputs:
            entries = []
            for place, candidate in enumerate(candidates):
                entry: dict[str, Any] = {
                    "votes": candidate.votes,
                    "confidence": candidate.confidence,
                }
                if place < grids:
                    entry["grid"] = candidate.grid.tolist()
                entries.append(entry)
            content[task].append(entries)
    return msgspec.json.encode(content).decode("utf-8")
