"""Augmentations keep a puzzle's answer an answer, and can be inverted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError
from trm_edge.tasks.base import Entry, Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.nano_sudoku import NanoSudokuTask
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

MAZE = MazeTask(replace(BASE, seq_len=169, vocab_size=6))
NANO = NanoSudokuTask(replace(BASE, seq_len=100, vocab_size=12))  # 9x9 in a canvas of 10x10


def entry(task: Task) -> Entry:
    path = task.bundled_puzzles("held_out")
    assert isinstance(path, Path)
    first = next(iter(task.read(path)))
    assert isinstance(first, Entry)
    return first


@pytest.mark.parametrize(
    "task", [SudokuTask(FAKE_CONFIG), MAZE, NANO], ids=["sudoku", "maze", "nano-sudoku"]
)
def test_an_answer_to_an_augmented_puzzle_is_an_answer_to_the_puzzle(task: Task) -> None:
    puzzle = entry(task)
    tokens = puzzle.puzzle.tokens
    answer = puzzle.answer
    assert answer is not None
    views = set()
    for number, chosen in enumerate(task.augmentations(8)):
        augmentation = chosen.for_puzzle(tokens)
        viewed = augmentation.apply(tokens)
        solved = augmentation.apply(answer)
        assert task.problem(viewed, solved) is None
        np.testing.assert_array_equal(augmentation.invert(solved), answer)
        np.testing.assert_array_equal(augmentation.invert(viewed), tokens)
        assert viewed.dtype == tokens.dtype
        assert (number == 0) == bool((viewed == tokens).all())
        views.add(viewed.tobytes())
    assert len(views) == 8


def test_a_task_has_a_limited_number() -> None:
    with pytest.raises(ConfigError, match="a maze has 8 augmentations, but 9 were asked for"):
        MAZE.augmentations(9)
    tokens = TokenTask(BASE)
    assert len(tokens.augmentations(1)) == 1
    with pytest.raises(ConfigError, match="the task tokens has no augmentations"):
        tokens.augmentations(2)
