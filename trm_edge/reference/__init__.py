"""The embedded default: a small trained Sudoku model, and puzzles to calibrate and judge it on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

Split = Literal["calibration", "held_out", "examples"]


def reference_checkpoint() -> Path:
    """Folder of the trained model, as the published trainer writes one."""
    return _path("sudoku")


def reference_puzzles(task: str, split: Split) -> Path | None:
    """Puzzles shipped for a task; None where there are none."""
    path = _path("puzzles") / f"{task}_{split}.csv"
    return path if path.is_file() else None


def _path(name: str) -> Path:
    return Path(str(resources.files("trm_edge.reference"))) / name
