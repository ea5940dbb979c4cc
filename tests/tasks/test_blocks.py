"""Many rows at once mean the same as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.blocks import BLOCK, CellTable, CellText, in_blocks
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.sudoku import SudokuTask

SUDOKU = SudokuTask(FAKE_CONFIG)
SMALL_SUDOKU = SudokuTask(replace(FAKE_CONFIG, seq_len=36, vocab_size=8))
MAZE = MazeTask(replace(FAKE_CONFIG, seq_len=25, vocab_size=6))
REFERENCE_MAZE = MazeTask(replace(FAKE_CONFIG, seq_len=169, vocab_size=6))
TASKS: dict[str, Task] = {"sudoku": SUDOKU, "maze": REFERENCE_MAZE}


def reference_entries(task: Task, count: int) -> list[Entry]:
    path = task.bundled_puzzles("held_out")
    assert path is not None
    entries = []
    for entry in task.read(path):
        assert isinstance(entry, Entry)
        entries.append(entry)
        if len(entries) == count:
            break
    return entries


def described(items: Sequence[Entry | BadLine]) -> list[object]:
    """What can be compared of entries."""
    described_items: list[object] = []
    for item in items:
        if isinstance(item, BadLine):
            described_items.append((type(item).__name__, item.line, item.reason))
            continue
        answer = None if item.answer is None else item.answer.tolist()
        described_items.append((item.line, item.puzzle.tokens.tolist(), answer))
    return described_items


def test_items_are_collected_in_lists() -> None:
    assert list(in_blocks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_blocks([], 2)) == []


def test_cells_and_text() -> None:
    table = CellTable({"a": 0, "b": 1, "é": 2})
    tokens, are_cells = table.tokens(["ab", "a", None, "aé", "bx", "ba"], 2)
    assert are_cells.tolist() == [True, False, False, False, False, True]
    assert tokens[[0, 5]].tolist() == [[0, 1], [1, 0]]
    text = CellText("ab")
    assert text.texts(tokens[[0, 5]]) == ["ab", "ba"]
    assert text.text(np.array([0, 7, 255], np.uint8)) == "a??"


@pytest.mark.parametrize("name", TASKS)
def test_wrong_lines_are_told_in_a_block_as_one_by_one(name: str) -> None:
    task = TASKS[name]
    path = task.bundled_puzzles("held_out")
    assert path is not None
    header, *rows = path.read_text().splitlines()[:60]
    first, _, answer = rows[0].partition(",")
    second = rows[1].partition(",")[0]
    odd = [
        "",
        f"{first},",
        f"{first[:-1]},{answer}",
        f"{first},{answer[:-1]}",
        f"{answer},{first}",
        f"{answer},{answer}",
        f"{first},{second}",
        f"é{first[1:]},{answer}",
        f'"{first}","{answer}"',
        f"{first},{answer},more",
        first[::-1] + "," + answer[::-1],
        "x" * len(first) + "," + answer,
    ]
    for lines in ([header, *rows, *odd, *rows], [first, *odd, second, answer, *rows]):
        one_by_one = list(task.read_lines(lines))
        assert described(list(task.read_ahead(lines))) == described(one_by_one)
        assert len(one_by_one) < BLOCK


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_row_of_a_maze_is_told_in_a_block_as_one_by_one(data: st.DataObject) -> None:
    cells = st.text(alphabet="#.. SGo", min_size=25, max_size=25)
    rows = data.draw(st.lists(st.tuples(cells, st.none() | cells), min_size=2, max_size=6))
    lines = ["puzzle,solution"]
    for puzzle, answer in rows:
        lines.append(f"{puzzle},{answer or ''}")
    assert described(list(MAZE.read_ahead(lines))) == described(list(MAZE.read_lines(lines)))


def changed(
    answers: NDArray[np.int32], vocabulary: int, share: float, random: np.random.Generator
) -> NDArray[np.int32]:
    wrong: NDArray[np.int32] = answers.copy()
    where = random.random(wrong.shape) < share
    wrong[where] = random.integers(0, vocabulary, int(where.sum()))
    return wrong


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("share", [0.0, 0.003, 0.02])
def test_answers_are_judged_together_as_one_by_one(name: str, share: float) -> None:
    task = TASKS[name]
    entries = reference_entries(task, 150)
    puzzles = np.stack([entry.puzzle.tokens for entry in entries])
    known = np.stack([entry.answer for entry in entries if entry.answer is not None])
    random = np.random.default_rng(0)
    answers = changed(known, task.config.vocab_size, share, random)
    problems = [task.problem(*pair) for pair in zip(puzzles, answers, strict=True)]
    assert task.judge(puzzles, answers).tolist() == [problem is None for problem in problems]
    assert all(problem is None for problem in problems) == (share == 0)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_any_marks_in_a_maze_are_judged_as_one_by_one(data: st.DataObject) -> None:
    maze = np.array(data.draw(st.lists(st.sampled_from([1, 2, 2, 2]), min_size=25, max_size=25)))
    ends = data.draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True))
    maze[ends] = [3, 4]
    marks = data.draw(st.sets(st.integers(0, 24), max_size=12))
    answer = maze.copy()
    for cell in marks:
        answer[cell] = 5 if maze[cell] == 2 else answer[cell]
    expected = MAZE.problem(maze, answer) is None
    assert MAZE.judge(maze[np.newaxis], answer[np.newaxis]).tolist() == [expected]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 9), min_size=36, max_size=36))
def test_any_grid_is_judged_as_one_by_one(cells: list[int]) -> None:
    grid = np.array(cells)
    puzzle = np.ones(36, np.int32)
    expected = SMALL_SUDOKU.problem(puzzle, grid) is None
    assert SMALL_SUDOKU.judge(puzzle[np.newaxis], grid[np.newaxis]).tolist() == [expected]


@pytest.mark.parametrize("name", TASKS)
def test_many_texts_are_those_of_each(name: str) -> None:
    task = TASKS[name]
    entries = reference_entries(task, 20)
    tokens = np.stack([entry.puzzle.tokens for entry in entries])
    assert task.texts(tokens) == [task.text(row) for row in tokens]
    assert task.answer_texts(tokens, tokens) == task.texts(tokens)


def test_mazes_beyond_64_cells_a_side_are_judged_one_by_one() -> None:
    task = MazeTask(replace(FAKE_CONFIG, seq_len=65 * 65, vocab_size=6))
    maze = np.full(65 * 65, 2)
    maze[:3] = [3, 2, 4]
    answer = maze.copy()
    answer[1] = 5
    assert task.judge(np.stack([maze, maze]), np.stack([answer, maze])).tolist() == [True, False]
