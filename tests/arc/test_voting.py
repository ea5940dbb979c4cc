"""Submissions, rankings and scores equal those of the published evaluator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trm_edge.arc.submission import PLACEHOLDER
from trm_edge.arc.test_set import read_test_set
from trm_edge.arc.voting import count_votes, write_votes
from trm_edge.errors import PuzzleError


def load(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize("case", ["plain", "edges", "two_evaluations"])
def test_published_votes(case: str, golden: Path, tmp_path: Path) -> None:
    folder = golden / "votes" / case
    expected = load(folder / "expected.json")
    files = [folder / name for name in expected["predictions"]]
    result = count_votes(read_test_set(golden / "dataset"), files)
    write_votes(tmp_path, result, 10)
    ranking = load(folder / "ranking.json")
    ours = load(tmp_path / "ranking.json")
    assert list(ours) == list(ranking)
    for task, inputs in ranking.items():
        for published, candidates in zip(inputs, ours[task], strict=True):
            for entry, own in zip(published, candidates, strict=True):
                assert own["votes"] == entry["votes"]
                assert own["confidence"] == pytest.approx(entry["confidence"], abs=1e-12)
                assert own.get("grid") == entry.get("grid")
    scores = result.metrics.scores.published
    assert scores == {f"pass@{count}": share for count, share in expected["pass_at"].items()}
    check_submission(load(tmp_path / "submission.json"), load(folder / "submission.json"), ranking)
    metrics = load(tmp_path / "metrics.json")
    assert metrics["format"] == "trm-edge.arc-metrics/1"
    assert metrics["scores"]["published"] == scores


def check_submission(ours: Any, published: Any, ranking: Any) -> None:
    """The published list leaves out test inputs without a prediction; ours has placeholders."""
    assert list(ours) == list(ranking)
    for task, inputs in ranking.items():
        assert len(ours[task]) == len(inputs)
        answered = [entry for entry, places in zip(ours[task], inputs, strict=True) if places]
        assert answered == published[task]
        for entry, places in zip(ours[task], inputs, strict=True):
            if not places:
                assert entry == {"attempt_1": PLACEHOLDER, "attempt_2": PLACEHOLDER}


def test_votes_add_up_over_parts(golden: Path) -> None:
    folder = golden / "votes" / "two_evaluations"
    test_set = read_test_set(golden / "dataset")
    files = [folder / f"predictions_{number}.npz" for number in (1, 2)]
    expected = load(folder / "expected.json")["pass_at_after_each_evaluation"]
    for number, scores in enumerate(expected, start=1):
        metrics = count_votes(test_set, files[:number]).metrics
        for count, share in scores.items():
            assert metrics.scores.published[f"pass@{count}"] == share


def test_votes_of_hrm(golden: Path) -> None:
    """HRM's notebook counts a task only if every test input is right."""
    folder = golden / "hrm" / "dataset"
    case = golden / "votes_hrm_format"
    metrics = count_votes(read_test_set(folder), [case / "predictions.npz"]).metrics
    for count, per_cent in load(case / "expected.json")["per_cent"].items():
        assert 100 * metrics.scores.whole_tasks[f"pass@{count}"] == per_cent


def test_predictions_of_another_dataset(golden: Path) -> None:
    predictions = golden / "votes" / "plain" / "predictions.npz"
    with pytest.raises(PuzzleError, match=r"predictions\.npz: .*puzzle identifier \d+, but"):
        count_votes(read_test_set(golden / "hrm" / "dataset"), [predictions])


def test_no_vote_at_all(golden: Path) -> None:
    predictions = golden / "votes_hrm_format" / "predictions.npz"
    with pytest.raises(PuzzleError, match="no row of the predictions asks a test input"):
        count_votes(read_test_set(golden / "dataset"), [predictions])
