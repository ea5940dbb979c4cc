"""Tasks: puzzles as text and as token ids, and the judgement of an answer."""

from __future__ import annotations

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.tasks.base import Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

TASKS: dict[str, type[Task]] = {task.name: task for task in (SudokuTask, MazeTask, TokenTask)}


def task_named(name: str, config: ModelConfig) -> Task:
    """Make the task of a name for a model.

    Args:
        name: a key of ``TASKS``.
        config: the model.

    Raises:
        ConfigError: there is no such task, or the model's shape is not the task's.
    """
    if name not in TASKS:
        raise ConfigError(f"there is no task {name!r}; the tasks are {', '.join(sorted(TASKS))}.")
    return TASKS[name](config)


def task_for(config: ModelConfig) -> Task:
    """Detect the task from a model's sequence length and vocabulary; raw tokens otherwise.

    Args:
        config: the model.
    """
    if SudokuTask.fits(config):
        return SudokuTask(config)
    if MazeTask.fits(config):
        return MazeTask(config)
    return TokenTask(config)
