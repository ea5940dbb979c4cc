"""Predictions are read within bounds, and never unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trm_edge.arc import predictions as predictions_module
from trm_edge.arc.predictions import Predictions, read_predictions
from trm_edge.errors import PuzzleError

ARRAYS: dict[str, Any] = {
    "puzzle_identifiers": np.array([1, 2], np.int32),
    "inputs": np.full((2, 900), 2, np.uint8),
    "preds": np.full((2, 900), 3, np.int64),
    "q_halt_logits": np.zeros(2, np.float32),
}


def write(path: Path, **changes: Any) -> Path:
    arrays = {**ARRAYS, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_what_the_published_evaluator_saves(tmp_path: Path) -> None:
    extra = {"labels": np.zeros((2, 900), np.uint8), "loss": np.array([None, "x"])}
    rows = read_predictions(write(tmp_path / "p.npz", **extra))
    assert len(rows) == 2
    assert rows.predictions.dtype == np.uint8
    assert rows.predictions[0, 0] == 3


def test_written_and_read(tmp_path: Path) -> None:
    rows = read_predictions(write(tmp_path / "p.npz"))
    path = tmp_path / "own.npz"
    rows.write(path)
    with np.load(path) as arrays:
        assert str(arrays["format"]) == "trm-edge.predictions/1"
    again = read_predictions(path)
    assert np.array_equal(again.predictions, rows.predictions)
    assert np.array_equal(again.q_halt, rows.q_halt)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"preds": None}, "lacks preds.npy"),
        ({"preds": np.zeros((2, 81), np.uint8)}, r"preds must have shape \(2, 900\)"),
        ({"preds": np.zeros((3, 900), np.uint8)}, r"preds must have shape \(2, 900\)"),
        ({"q_halt_logits": np.zeros((2, 1), np.float32)}, r"q_halt_logits must have shape \(2,\)"),
        ({"q_halt_logits": np.array([0, np.nan], np.float32)}, "not a number at row 1"),
        ({"q_halt_logits": np.zeros(2, np.int32)}, "q_halt_logits: its type must be"),
        ({"preds": np.full((2, 900), 12, np.uint8)}, r"preds must be token ids in 0\.\.11"),
        ({"inputs": np.full((2, 900), 258, np.int16)}, r"inputs must be token ids in 0\.\.11"),
        ({"inputs": np.full((2, 900), -1, np.int64)}, r"inputs must be token ids in 0\.\.11"),
        ({"puzzle_identifiers": np.array([None, None])}, "never unpickled"),
        ({"format": np.array("trm-edge.bundle/1")}, "its format is 'trm-edge.bundle/1'"),
        ({"format": np.array("trm-edge.predictions/2")}, "Upgrade with"),
    ],
)
def test_what_is_no_prediction(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=reason):
        read_predictions(write(tmp_path / "p.npz", **changes))


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.npz"
    np.savez_compressed(path, **ARRAYS)
    monkeypatch.setattr(predictions_module, "LARGEST_FILE", 1000)
    with pytest.raises(PuzzleError, match="at most 1000 are read"):
        read_predictions(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match="does not exist"):
        read_predictions(tmp_path / "p.npz")
    (tmp_path / "p.npz").write_text("hello")
    with pytest.raises(PuzzleError, match=r"is not an \.npz file"):
        read_predictions(tmp_path / "p.npz")
    with pytest.raises(PuzzleError, match="not a regular file"):
        read_predictions(tmp_path)


def test_no_rows(tmp_path: Path) -> None:
    empty = Predictions(
        np.zeros(0, np.int64),
        np.zeros((0, 900), np.uint8),
        np.zeros((0, 900), np.uint8),
        np.zeros(0),
    )
    empty.write(tmp_path / "p.npz")
    assert len(read_predictions(tmp_path / "p.npz")) == 0
