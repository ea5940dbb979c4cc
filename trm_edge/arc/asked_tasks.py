"""Reads the tasks that a model is asked to solve, from any of the places where tasks are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trm_edge.arc.sources import read_challenges, read_folder, read_task_file
from trm_edge.arc.task import TEST, ArcTask, Pair, TaskProblem
from trm_edge.arc.test_set import read_test_set
from trm_edge.errors import PuzzleError
from trm_edge.identifiers import IDENTIFIERS_NAME

CHALLENGES_SUFFIX = "_challenges.json"


@dataclass(frozen=True)
class AskedTasks:
    """Tasks to solve.

    Args:
        tasks: that can be used, with the outputs that are known.
        problems: tasks that cannot be used.
        names: of a dataset's identifiers, where the tasks come from one.
    """

    tasks: tuple[ArcTask, ...]
    problems: tuple[TaskProblem, ...]
    names: Sequence[str] | None = None

    @property
    def answered(self) -> bool:
        """Whether the outputs of all test inputs are known."""
        return all(pair.output is not None for task in self.tasks for pair in task.tests)


def read_asked_tasks(path: Path) -> AskedTasks:
    """Read the tasks of a file or folder.

    Args:
        path: a public challenges file, beside which its solutions are looked for; a file of one
            task or of several by name; a folder of task files or with one challenges file; or a
            dataset folder.

    Raises:
        PuzzleError: it cannot be read, or no task in it can be used.
    """
    if not path.is_dir():
        return _of_file(path)
    if (path / IDENTIFIERS_NAME).is_file():
        return _of_dataset(path)
    files = sorted(path.glob(f"*{CHALLENGES_SUFFIX}"))
    if len(files) > 1:
        raise PuzzleError(
            f"{path} holds several files of tasks: {', '.join(file.name for file in files)}. Pass "
            "one of them."
        )
    if files:
        return _of_file(files[0])
    subset = read_folder(path, path.name)
    return AskedTasks(subset.tasks, subset.problems)


def _of_file(path: Path) -> AskedTasks:
    prefix, underscore, subset_name = path.name.removesuffix(CHALLENGES_SUFFIX).rpartition("_")
    if path.name.endswith(CHALLENGES_SUFFIX) and underscore:
        subset = read_challenges(path.with_name(prefix), subset_name)
    else:
        subset = read_task_file(path, path.stem)
    return AskedTasks(subset.tasks, subset.problems)


def _of_dataset(folder: Path) -> AskedTasks:
    test_set = read_test_set(folder)
    tasks = [_without_placeholders(task) for task in test_set.tasks.values()]
    return AskedTasks(tuple(tasks), test_set.problems, test_set.names)


def _without_placeholders(task: ArcTask) -> ArcTask:
    """The task with ``[[0]]``, which datasets have for unknown outputs, taken out."""
    return replace(task, pairs={**task.pairs, TEST: tuple(_known_outputs(task.tests))})


def _known_outputs(pairs: Iterable[Pair]) -> Iterable[Pair]:
    for pair in pairs:
        is_placeholder = np.array_equal(pair.answer(), np.zeros((1, 1)))
        yield pair._replace(output=None) if is_placeholder else pair
