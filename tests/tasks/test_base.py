"""What every task does: read files, yield puzzles, and describe cells for the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.toys import BASE
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.puzzle import Puzzle
from trm_edge.tasks import TASKS, task_for, task_named
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.tokens import TokenTask

TOKENS = TokenTask(BASE)
SUDOKU = SudokuTask(FAKE_CONFIG)
MAZE = MazeTask(replace(FAKE_CONFIG, seq_len=25, vocab_size=6))
LINE = "1 2 3 4 5 6 0 1 2"


def test_puzzles_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"# two\n{LINE}\n\n2:{LINE}\n")
    for source in (path, str(path)):
        puzzles = list(TOKENS.puzzles(source))
        assert [puzzle.identifier for puzzle in puzzles] == [0, 2]
        np.testing.assert_array_equal(puzzles[1].tokens, [1, 2, 3, 4, 5, 6, 0, 1, 2])


def test_a_bad_line_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{LINE}\n1 2\n{LINE}\n")
    puzzles = TOKENS.puzzles(path)
    next(puzzles)
    with pytest.raises(
        PuzzleError, match=r"puzzles\.txt, line 2: expected 9 token ids, but got 2\."
    ):
        next(puzzles)
    assert [type(entry) for entry in TOKENS.read(path)].count(BadLine) == 1


def test_puzzles_of_a_dataset(toy_dataset: Path) -> None:
    assert len(list(TOKENS.puzzles(toy_dataset))) == 8


def test_puzzles_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(PuzzleError, match=r"cannot read puzzles from .*absent: No such file"):
        list(TOKENS.puzzles(tmp_path / "absent"))


@pytest.mark.parametrize("task", [TOKENS, SUDOKU, MAZE], ids=lambda task: task.name)
def test_every_token_has_a_look(task: Task) -> None:
    looks = task.looks()
    assert len(looks) == task.config.vocab_size
    for text, style in looks:
        assert len(text) <= 2
        assert style.isidentifier()


def test_looks_of_the_tasks() -> None:
    assert TOKENS.looks()[3] == ("3", "token")
    assert SUDOKU.looks()[:3] == (("", "blank"), ("", "blank"), ("1", "digit"))
    assert SUDOKU.looks()[10] == ("9", "digit")
    assert MAZE.looks()[1:] == (
        ("", "wall"),
        ("", "open"),
        ("S", "end"),
        ("G", "end"),
        ("", "way"),
    )


@pytest.mark.parametrize(("seq_len", "columns"), [(9, 3), (81, 9), (900, 30), (10, 4), (1, 1)])
def test_columns_of_a_picture(seq_len: int, columns: int) -> None:
    assert TokenTask(replace(BASE, seq_len=seq_len)).columns == columns


def test_tasks_by_name_and_by_shape() -> None:
    assert sorted(TASKS) == ["arc", "maze", "nano-sudoku", "sudoku", "tokens"]
    assert [task_for(task.config).name for task in (TOKENS, SUDOKU, MAZE)] == [
        "tokens",
        "sudoku",
        "maze",
    ]
    with pytest.raises(
        ConfigError, match="no task 'chess'; the tasks are arc, maze, nano-sudoku, sudoku"
    ):
        task_named("chess", BASE)


def test_puzzles_tell_a_task_where_the_shape_does_not() -> None:
    """4x4 Sudoku, 4x4 mazes and anything else with 6 ids on 16 cells look alike."""
    config = replace(BASE, seq_len=16, vocab_size=6)
    sudoku = [2, 1, 1, 3, 1, 3, 2, 1, 1, 1, 3, 1, 3, 1, 1, 2]
    maze = [3, 2, 2, 1, 1, 1, 2, 2, 2, 2, 1, 2, 1, 2, 2, 4]
    other = [2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]

    def name(*puzzles: list[int]) -> str:
        sample = [Puzzle(np.array(tokens, np.int32)) for tokens in puzzles]
        return task_for(config, iter(sample)).name

    assert name() == "sudoku"
    assert name(sudoku, sudoku) == "sudoku"
    assert name(maze, maze) == "maze"
    assert name(other) == name(sudoku, other) == name(maze, sudoku) == "tokens"
    square = replace(BASE, seq_len=25, vocab_size=6)
    assert task_for(square).name == "maze"
    assert task_for(square, [Puzzle(np.ones(25, np.int32))]).name == "tokens"
    nine = [Puzzle(np.zeros(81, np.int32))]  # padding is not in a Sudoku
    assert task_for(FAKE_CONFIG, nine).name == "tokens"


def test_mazes_of_the_published_size_as_csv(tmp_path: Path) -> None:
    """30 x 30 cells, spaces for open ones, answers with o."""
    task = MazeTask(replace(BASE, seq_len=900, vocab_size=6))
    rows = ["S" + " " * 29, *["#" * 29 + " "] * 28, "#" * 29 + "G"]
    puzzle = "".join(rows)
    answer = puzzle.replace(" ", "o")
    path = tmp_path / "test.csv"
    path.write_text(f"source,question,answer,rating\nx,{puzzle},{answer},110\n")
    (entry,) = task.read(path)
    assert isinstance(entry, Entry)
    assert entry.answer is not None
    assert task.problem(entry.puzzle.tokens, entry.answer) is None
    path.write_text(f"{puzzle}\n{answer}\n{puzzle}\n".replace(" ", "."))
    first, second = task.read(path)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.answer is None, second.answer is None) == (False, True)
