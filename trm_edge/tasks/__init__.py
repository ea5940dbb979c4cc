"""Puzzles as people have them, as token ids, and the judgement of an answer."""

from __future__ import annotations

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.tasks.base import Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

TASKS: dict[str, type[Task]] = {task.name: task for task in (SudokuTask, MazeTask, TokenTask)}


def task_named(name: str, config: ModelConfig) -> Task:
    """The task of that name for a model.

    Raises:
        ConfigError: there is no such task, or the model's shape is not the task's.
    """
    if name not in TASKS:
        raise ConfigError(f"no task {name!r}; the tasks are {', '.join(sorted(TASKS))}.")
    return TASKS[name](config)


def task_for(config: ModelConfig) -> Task:
    """The task that a model's sequence length and vocabulary belong to; raw tokens otherwise."""
    if (config.seq_len, config.vocab_size) == (SudokuTask.seq_len, SudokuTask.vocab_size):
        return SudokuTask(config)
    if MazeTask.fits(config):
        return MazeTask(config)
    return TokenTask(config)
