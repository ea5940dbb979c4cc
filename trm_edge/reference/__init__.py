"""Bundled models and puzzles: small trained checkpoints, and puzzles to calibrate and judge on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from trm_edge.errors import ConfigError

Split = Literal["calibration", "held_out", "examples"]
REFERENCES = ("sudoku", "maze", "arc")  # tasks; the first is the default
_SEQ_LEN = {"sudoku": 81, "maze": 169, "arc": 900}  # L of the bundled puzzles
# ARC's are the splits of a dataset folder, because a question needs the row of its task.
_ARC_PUZZLES: dict[Split, str] = {
    "calibration": "arc/train",
    "held_out": "arc/test",
    "examples": "arc/examples.json",
}


def reference_checkpoint(task: str = REFERENCES[0]) -> Path:
    """Find the bundled checkpoint of a task.

    Args:
        task: one of ``REFERENCES``.

    Returns:
        Its folder, as the published trainer writes one.

    Raises:
        ConfigError: there is none for that task.
    """
    if task not in REFERENCES:
        raise ConfigError(
            f"there is no bundled model for the task {task!r}, only for {', '.join(REFERENCES)}. "
            "Name a checkpoint."
        )
    return _path(task)


def reference_puzzles(task: str, split: Split, seq_len: int) -> Path | None:
    """Find the bundled puzzles of a task.

    Args:
        task: name of the task.
        split: which of them.
        seq_len: L, tokens of a puzzle.

    Returns:
        A CSV file, or for ARC a file of tasks or a folder of arrays; None where there are none of
        that task and size.
    """
    if _SEQ_LEN.get(task) != seq_len:
        return None
    if task == "arc":
        return _path("puzzles") / _ARC_PUZZLES[split]
    return _path("puzzles") / f"{task}_{split}.csv"


def _path(name: str) -> Path:
    return Path(str(resources.files("trm_edge.reference"))) / name
