"""Tasks: puzzles as text and as token ids, and the judgement of an answer."""

from __future__ import annotations

from collections.abc import Iterable

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Task
from trm_edge.tasks.maze import GOAL, START, MazeTask
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


def task_for(config: ModelConfig, sample: Iterable[Puzzle] = ()) -> Task:
    """Detect the task from a model's shape and a few of its puzzles; raw tokens otherwise.

    Args:
        config: the model.
        sample: puzzles of the model's dataset; without any, its shape alone decides.
    """
    puzzles = list(sample)
    if SudokuTask.fits(config):
        return SudokuTask(config)
    if MazeTask.fits(config) and all(_is_maze(puzzle) for puzzle in puzzles):
        return MazeTask(config)
    return TokenTask(config)


def _is_maze(puzzle: Puzzle) -> bool:
    """Other grids with six token ids do not hold one start and one goal each."""
    return bool((puzzle.tokens == START).sum() == 1 and (puzzle.tokens == GOAL).sum() == 1)
