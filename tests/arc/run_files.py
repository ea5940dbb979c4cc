"""The files that a run leaves behind, to compare with those of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trm_edge.arc.predictions import read_predictions

FILES = ("submission.json", "ranking.json", "metrics.json", "run.json")


def contents(folder: Path) -> dict[str, Any]:
    return {name: json.loads((folder / name).read_text()) for name in FILES}


def assert_same_run(folder: Path, expected: Path) -> None:
    """Hold the files of a run to those of another."""
    assert contents(folder) == contents(expected)
    names = sorted(path.name for path in expected.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == names
    for name in names:
        if name.startswith("predictions"):
            before = read_predictions(expected / name)
            after = read_predictions(folder / name)
            np.testing.assert_array_equal(before.predictions, after.predictions)
            np.testing.assert_array_equal(before.q_halt, after.q_halt)
