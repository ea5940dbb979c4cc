"""Sudoku grids as people have them, of every size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.text import Text

from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import PuzzleError
from trm_edge.tasks import task_for
from trm_edge.tasks.base import AnswerLine, BadLine, Entry, SolvedLine
from trm_edge.tasks.sudoku import SudokuTask
from trm_edge.tasks.sudoku_grid import SudokuGrid

TASK = SudokuTask(FAKE_CONFIG)
PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
ANSWER = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
ROWS = [PUZZLE[start : start + 9] for start in range(0, 81, 9)]
SIZES = (4, 6, 9, 16, 25)


def entries(text: str, task: SudokuTask = TASK) -> list[Entry | BadLine]:
    return list(task.read_lines(text.splitlines(keepends=True)))


def ruled(rule: str, side: str) -> str:
    lines = []
    for number, row in enumerate(ROWS):
        if number in (3, 6):
            lines.append(rule)
        lines.append(side.join([row[:3], row[3:6], row[6:]]))
    return "\n".join(lines)


DRAWN = Text.from_markup(TASK.draw(np.array([1 if c == "." else int(c) + 1 for c in PUZZLE]))).plain


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(ROWS),
        "\n".join(" ".join(row.replace(".", "0")) for row in ROWS),
        "\n".join(",".join(row.replace(".", "0")) for row in ROWS),
        "\n".join(ROWS).replace(".", "-"),
        "\n".join(ROWS).replace(".", "_"),
        ruled("---+---+---", "|"),
        ruled("---------", ""),
        ruled("------+-------+------", " | "),
        f"*-----------*\n|{ruled('---+---+---', '|')}|\n*-----------*",
        DRAWN,
        DRAWN.translate(str.maketrans("┌┐└┘├┤┬┴┼─│", "+++++++++-|")),
        "\n".join(f"{row}    {row}" for row in DRAWN.split("\n")),
        "#A a comment\n[Puzzle]\n" + "\n".join(ROWS),
        "Grid 01\n" + "\n".join(ROWS),
        PUZZLE.replace(".", "_"),
        PUZZLE.replace(".", "*"),
        PUZZLE.replace(".", "-"),
        PUZZLE.replace(".", "?"),
        PUZZLE.replace(".", "x"),
        f"{PUZZLE}:1:{ANSWER}",
        f"{PUZZLE};{ANSWER}",
        f"{PUZZLE}\t{ANSWER}",
        f'"{PUZZLE}","{ANSWER}"',
        f"quizzes\n{PUZZLE}",
        f"quizzes;solutions\n{PUZZLE};{ANSWER}",
        f"id,puzzle,solution,clues,difficulty\n1,{PUZZLE},{ANSWER},30,2.2",
        f"{PUZZLE},30",
    ],
)
def test_grids_as_they_are_around(text: str) -> None:
    (entry,) = [item for item in entries(text) if isinstance(item, Entry)]
    assert len(entries(text)) == 1
    assert TASK.text(entry.puzzle.tokens) == PUZZLE
    assert entry.answer is None or TASK.text(entry.answer) == ANSWER
    assert (entry.answer is not None) == (ANSWER in text)


def test_grids_follow_each_other_with_and_without_an_empty_line() -> None:
    block = "\n".join(ROWS)
    items = entries(f"{block}\n\n{block}\n{block}\n{PUZZLE}\n{block[:-20]}\n")
    assert [item.line for item in items] == [1, 11, 20, 29, 30]
    assert [isinstance(item, Entry) for item in items] == [True, True, True, True, False]
    assert "expected 9 rows of 9 characters without an empty line" in str(items[-1])


def test_a_grid_is_handed_out_with_its_last_row() -> None:
    def lines() -> Iterator[str]:
        yield from ROWS
        raise AssertionError("a line after the grid was asked for")

    assert isinstance(next(TASK.read_lines(lines())), Entry)


@pytest.mark.parametrize(
    "line",
    [
        PUZZLE.replace(".", "_", 1),  # two kinds of blanks
        ANSWER.replace("5", "_", 1),  # one blank may be a slip
        '"' + PUZZLE,
        PUZZLE + "x",
    ],
)
def test_what_may_be_a_slip_is_refused(line: str) -> None:
    (item,) = entries(line)
    assert isinstance(item, BadLine)


def test_answers_on_the_lines_after_their_puzzles(tmp_path: Path) -> None:
    other = PUZZLE[:-1] + "."
    text = f"{PUZZLE}\n{ANSWER}\n{other}\n{PUZZLE}\n{ANSWER}\n{ANSWER}\n"
    items = entries(text)
    assert [type(item) for item in items] == [
        Entry,
        AnswerLine,
        Entry,
        Entry,
        AnswerLine,
        SolvedLine,
    ]
    assert str(items[1]) == "line 2: is the answer to the puzzle of line 1"
    assert str(items[5]) == "line 6: is a solved grid, not a puzzle: nothing is left to solve"
    path = tmp_path / "alternating.txt"
    path.write_text(text)
    merged = list(TASK.read(path))
    assert [item.line for item in merged] == [1, 3, 4, 6]
    known = [item.answer is not None for item in merged if isinstance(item, Entry)]
    assert known == [True, False, True]


def test_the_text_of_one_puzzle() -> None:
    assert TASK.text(TASK.puzzle(PUZZLE).tokens) == PUZZLE
    assert TASK.text(TASK.puzzle("\n".join(ROWS)).tokens) == PUZZLE
    with pytest.raises(PuzzleError, match="line 1: expected 81 characters, but got 80"):
        TASK.puzzle(PUZZLE[1:])
    with pytest.raises(PuzzleError, match="expected the text of one sudoku puzzle, but got none"):
        TASK.puzzle("\n")
    with pytest.raises(PuzzleError, match="but got 2"):
        TASK.puzzle(f"{PUZZLE}\n{PUZZLE}\n")


def sized(side: int) -> SudokuTask:
    return SudokuTask(replace(FAKE_CONFIG, seq_len=side**2, vocab_size=side + 2))


def solved(task: SudokuTask) -> np.ndarray:
    """The canonical grid: every row is the one above it, shifted."""
    grid = task.grid
    rows = np.arange(grid.side)
    shift = grid.box_columns * (rows % grid.box_rows) + rows // grid.box_rows
    return 2 + (shift[:, None] + rows[None]).ravel() % grid.side


@pytest.mark.parametrize("side", SIZES)
def test_every_size_is_read_drawn_judged_and_augmented(side: int) -> None:
    task = sized(side)
    assert task_for(task.config).name == "sudoku"
    answer = solved(task)
    assert task.grid.is_solved(answer)
    puzzle = np.where(np.arange(side**2) % 3 == 0, answer, 1)
    drawn = Text.from_markup(task.draw(puzzle)).plain
    for text in (task.text(puzzle), task.text(puzzle).lower(), drawn):
        np.testing.assert_array_equal(task.puzzle(text).tokens, puzzle)
    assert task.problem(puzzle, answer) is None
    wrong = answer.copy()
    wrong[[1, 2]] = wrong[[2, 1]]
    assert "twice" in str(task.problem(puzzle, wrong))
    for augmentation in task.augmentations(4):
        assert task.problem(augmentation.apply(puzzle), augmentation.apply(answer)) is None
    assert len(task.looks()) == side + 2


def test_numbers_between_spaces_in_a_large_grid() -> None:
    task = sized(16)
    puzzle = np.where(np.arange(256) % 3 == 0, solved(task), 1)
    lines = []
    for row in puzzle.reshape(16, 16):
        lines.append(" ".join(str(max(0, token - 1)) for token in row))
    np.testing.assert_array_equal(task.puzzle("\n".join(lines)).tokens, puzzle)


def test_sides() -> None:
    for side in range(2, 30):
        expected = side if side in SIZES else None
        assert SudokuGrid.side_of(side**2, side + 2) == expected
        assert SudokuGrid.side_of(side**2, side + 3) is None
