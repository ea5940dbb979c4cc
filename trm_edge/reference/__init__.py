"""Small trained models that come along, and puzzles to calibrate and judge models on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from trm_edge.errors import ConfigError

Split = Literal["calibration", "held_out", "examples"]
REFERENCES = ("sudoku", "maze")  # tasks; the first is the default
_SEQ_LEN = {"sudoku": 81, "maze": 169}  # of the puzzles that come along


def reference_checkpoint(task: str = REFERENCES[0]) -> Path:
    """Folder of the trained model for a task, as the published trainer writes one.

    Raises:
        ConfigError: there is none for that task.
    """
    if task not in REFERENCES:
        raise ConfigError(
            f"no model comes along for the task {task!r}, only for {', '.join(REFERENCES)}. Name a "
            "checkpoint."
        )
    return _path(task)


def reference_puzzles(task: str, split: Split, seq_len: int) -> Path | None:
    """Puzzles shipped for a task; None where there are none of that many cells."""
    return _path("puzzles") / f"{task}_{split}.csv" if _SEQ_LEN.get(task) == seq_len else None


def _path(name: str) -> Path:
    return Path(str(resources.files("trm_edge.reference"))) / name
