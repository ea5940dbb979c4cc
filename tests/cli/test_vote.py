"""``trm-edge vote`` and ``trm-edge score`` on what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.arc.tasks import TASK, write_json
from tests.cli.commands import failed, run
from trm_edge.arc.predictions import Predictions


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    source = write_json(tmp_path / "tasks.json", {"a": TASK})
    folder = tmp_path / "dataset"
    assert run("data", "arc", source, "--augmentations", 5, "-o", folder).exit_code == 0
    return folder


@pytest.fixture
def predictions(dataset: Path, tmp_path: Path) -> Path:
    """Predictions of the labels, all right."""
    test = dataset / "test"
    identifiers = np.load(test / "all__puzzle_identifiers.npy").astype(np.int64)
    rows = Predictions(
        identifiers,
        np.load(test / "all__inputs.npy"),
        np.load(test / "all__labels.npy"),
        np.zeros(len(identifiers)),
    )
    path = tmp_path / "part.npz"
    rows.write(path)
    return path


def test_votes_become_a_submission(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    output = tmp_path / "votes"
    result = run("vote", dataset, predictions, predictions, "-o", output)
    assert result.exit_code == 0, result.output
    assert "12 votes on 1 test inputs of 1 tasks" in result.stdout
    submission = json.loads((output / "submission.json").read_text())
    assert submission == {"a": [{"attempt_1": [[5, 4]], "attempt_2": [[5, 4]]}]}
    assert run("vote", dataset, predictions, "-o", output).exit_code == 0
    scored = run("score", output / "submission.json", dataset / "test_puzzles.json", "--json")
    assert scored.exit_code == 0
    assert json.loads(scored.stdout)["scores"]["competition"] == {"pass@1": 1.0, "pass@2": 1.0}


def test_json(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    result = run("vote", dataset, predictions, "-o", tmp_path / "votes", "--json")
    record = json.loads(result.stdout)
    assert record["format"] == "trm-edge.arc-metrics/1"
    assert record["scores"]["published"]["pass@1"] == 1.0


def test_other_submissions_are_kept(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    other = write_json(tmp_path / "votes" / "submission.json", {})
    arguments = ("vote", dataset, predictions, "-o", other.parent)
    failed(run(*arguments), "is not from trm-edge vote")
    assert other.read_text() == "{}"
    assert run(*arguments, "--force").exit_code == 0


def test_a_task_of_the_dataset_is_wrong(dataset: Path, predictions: Path, tmp_path: Path) -> None:
    write_json(dataset / "test_puzzles.json", {"a": TASK, "b": {}})
    result = run("vote", dataset, predictions, "-o", tmp_path / "votes")
    failed(result, "test_puzzles.json: task b: it has no 'train'")
    assert (tmp_path / "votes" / "submission.json").is_file()
