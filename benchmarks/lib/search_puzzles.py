"""Sets of puzzles that a search is measured on: held-out ones, and harder ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.tries import PuzzleSet
from trm_edge.puzzle import Puzzle
from trm_edge.targets.puzzle_sources import held_out_puzzles
from trm_edge.tasks.base import Task

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

HARD_SEED = 11
HARD_BLANKS = 57  # the bundled Sudoku model was trained on 36 to 56
DEEP_SHARE = 1 / 40  # share of the mazes that are the hardest


def held_out_set(task: Task, count: int) -> PuzzleSet:
    """Choose bundled held-out puzzles.

    Args:
        task: of the model.
        count: number of puzzles.
    """
    entries = held_out_puzzles(task, None, count).entries
    answers = np.stack([entry.answer for entry in entries if entry.answer is not None])
    return PuzzleSet("held out", [entry.puzzle for entry in entries], answers)


def harder_set(task: Task, count: int) -> PuzzleSet:
    """Make puzzles that are harder than those that the bundled models were trained on.

    Args:
        task: of the model, Sudoku or maze.
        count: number of puzzles.
    """
    return _deep_mazes(count) if task.name == "maze" else _sparse_sudokus(count)


def _sparse_sudokus(count: int) -> PuzzleSet:
    import sudoku_generator

    digs = sudoku_generator.generate(count, HARD_BLANKS, HARD_SEED)
    blanks = np.full(count, HARD_BLANKS)
    puzzles, solutions = digs.puzzles(np.arange(count), blanks)
    # The published vocabulary: 0 pad, 1 blank, digit + 1.
    return PuzzleSet(f"with {HARD_BLANKS} blanks", _puzzles(puzzles + 1), solutions + 1)


def _deep_mazes(count: int) -> PuzzleSet:
    """Mazes with the longest dead ends, which take the model most steps to fill."""
    import maze_generator

    tokens, labels = maze_generator.generate(round(count / DEEP_SHARE), HARD_SEED)
    rounds = filling_rounds(tokens, labels)
    deepest = np.argsort(-rounds, kind="stable")[:count]
    name = f"with dead ends of {rounds[deepest].min()} cells or more"
    return PuzzleSet(name, _puzzles(tokens[deepest]), labels[deepest])


def filling_rounds(tokens: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the rounds of filling dead ends that leave the path: cells of the longest dead end.

    Args:
        tokens: mazes (n, side * side) with one path each.
        labels: their answers, alike.
    """
    import maze_generator

    side = int(np.sqrt(tokens.shape[1]))
    cells = np.where(tokens == maze_generator.OPEN, maze_generator.WAY, tokens)
    cells = cells.reshape(-1, side, side)
    goals = labels.reshape(-1, side, side)
    rounds = np.zeros(len(tokens), np.int64)
    while True:
        is_left = (cells != goals).any((1, 2))
        if not is_left.any():
            return rounds
        rounds[is_left] += 1
        open_cells = np.pad(cells > maze_generator.OPEN, ((0, 0), (1, 1), (1, 1))).astype(np.int64)
        vertical = open_cells[:, :-2, 1:-1] + open_cells[:, 2:, 1:-1]
        horizontal = open_cells[:, 1:-1, :-2] + open_cells[:, 1:-1, 2:]
        is_end = (cells == maze_generator.WAY) & (vertical + horizontal <= 1)
        cells = np.where(is_end, maze_generator.OPEN, cells)


def _puzzles(tokens: NDArray[Any]) -> list[Puzzle]:
    return [Puzzle(row) for row in tokens.astype(np.int32)]
