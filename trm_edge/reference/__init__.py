"""The embedded default: a small trained Sudoku model; puzzles to calibrate and judge models on."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

Split = Literal["calibration", "held_out", "examples"]
_SEQ_LEN = {"sudoku": 81, "maze": 169}  # of the puzzles that come along


def reference_checkpoint() -> Path:
    """Folder of the trained model, as the published trainer writes one."""
    return _path("sudoku")


def reference_puzzles(task: str, split: Split, seq_len: int) -> Path | None:
    """Puzzles shipped for a task; None where there are none of that many cells."""
    return _path("puzzles") / f"{task}_{split}.csv" if _SEQ_LEN.get(task) == seq_len else None


def _path(name: str) -> Path:
    return Path(str(resources.files("trm_edge.reference"))) / name
