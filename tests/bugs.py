"""Runs with one thing each that people meet, from ``tests/data/bugs``."""

from __future__ import annotations

import shutil
from pathlib import Path

BUGS = Path(__file__).parent / "data" / "bugs"


def bug_run(name: str, folder: Path) -> Path:
    """Assemble a run: the files of its own, and those of ``good_run`` for the rest.

    Args:
        name: of the folder.
        folder: where to put it.
    """
    run = folder / name
    shutil.copytree(BUGS / name, run)
    has_weights = any(run.glob("step_*"))
    for file in (BUGS / "good_run").iterdir():
        is_weights = file.name.startswith("step_")
        if (is_weights and has_weights) or (run / file.name).exists():
            continue
        shutil.copy(file, run)
    return run
