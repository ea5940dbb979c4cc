"""Tasks: puzzles as text and as token ids, and the judgement of an answer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Puzzle
from trm_edge.suggestions import did_you_mean
from trm_edge.tasks.arc import ArcAgiTask
from trm_edge.tasks.base import Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.nano_sudoku import NanoSudokuTask
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

_DETECTED = (
    SudokuTask,
    MazeTask,
    NanoSudokuTask,
    ArcAgiTask,
)  # by the model's shape, in this order
TASKS: dict[str, type[Task]] = {task.name: task for task in (*_DETECTED, TokenTask)}

_SAMPLE = 64  # puzzles that are looked at to detect a task


def task_named(name: str, config: ModelConfig) -> Task:
    """Make the task of a name for a model.

    Args:
        name: a key of ``TASKS``.
        config: the model.

    Raises:
        ConfigError: there is no such task, or the model's shape is not the task's.
    """
    if name not in TASKS:
        raise ConfigError(
            f"there is no task {name!r}; the tasks are {', '.join(sorted(TASKS))}."
            f"{did_you_mean(name, TASKS)}"
        )
    return TASKS[name](config)


def task_for(config: ModelConfig, sample: Iterable[Puzzle] = ()) -> Task:
    """Detect the task from a model's sequence length and vocabulary; raw tokens otherwise.

    Several tasks have the same shape: a model with 6 token ids on 16 cells may solve mazes, 4x4
    Sudoku, or something else. Puzzles tell: every one of the sample has to be one of the task.

    Args:
        config: the model.
        sample: puzzles that the model is meant to solve, of which the first are looked at; without
            any, the shape alone decides.
    """
    puzzles = list(islice(sample, _SAMPLE))
    for task_class in _DETECTED:
        if task_class.fits(config):
            task = task_class(config)
            if all(task.recognizes(puzzle) for puzzle in puzzles):
                return task
    return TokenTask(config)
