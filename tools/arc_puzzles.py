"""Writes the tasks and questions that belong to the bundled ARC model.

``arc/`` is a dataset folder: demonstrations to calibrate on in ``train/``, the held-out test pairs
under a few variants of each task in ``test/``. Two more files hold tasks: some to show, and those
that the model was never trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arc_reference import TASKS, UNSEEN, arc_names, arc_variants, public_tasks

from trm_edge.arc.task import TEST, TRAIN
from trm_edge.datasets.folder import TEST_PUZZLES_NAME, DatasetWriter
from trm_edge.training.questions import asked_questions, demonstration_questions, write_split

CALIBRATION_PUZZLES = 128
CALIBRATION_SEED = 2
HELD_OUT_PUZZLES = 50
EXAMPLES = ("8be77c9e", "b1948b0a", "a699fb00", "99b1bc43")


def write_arc_puzzles(folder: Path) -> dict[Path, int]:
    """Write the dataset folder with its files of tasks.

    Args:
        folder: that the bundled puzzles lie in.

    Returns:
        Number of questions or tasks by file.
    """
    variants = arc_variants()
    splits = {
        TRAIN: demonstration_questions(variants, CALIBRATION_PUZZLES, CALIBRATION_SEED),
        TEST: asked_questions(variants, HELD_OUT_PUZZLES),
    }
    files = {"examples.json": EXAMPLES, "unseen.json": tuple(UNSEEN)}
    names = arc_names()
    dataset = folder / "arc"
    written = {}
    with DatasetWriter(dataset, force=True) as writer:
        writer.write_identifiers(names)
        writer.write_json(TEST_PUZZLES_NAME, _contents(tuple(TASKS)))
        for split, questions in splits.items():
            write_split(writer, split, questions, len(names))
            written[dataset / split] = len(questions.rows)
        for file, tasks in files.items():
            writer.write_json(file, _contents(tasks))
            written[dataset / file] = len(tasks)
        writer.install()
    return written


def _contents(names: Sequence[str]) -> dict[str, Any]:
    """Tasks as the public files have them, the outputs of their test inputs included."""
    return {task.name: task.to_json() for task in public_tasks(names)}
