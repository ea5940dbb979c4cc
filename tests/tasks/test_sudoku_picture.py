"""Pictures of Sudoku grids: boxes, givens and the cells that a step changed."""

from __future__ import annotations

import numpy as np

from trm_edge.tasks.sudoku_grid import BLANK, SudokuGrid
from trm_edge.tasks.sudoku_picture import draw_sudoku

GRID = SudokuGrid(4)
PUZZLE = np.full(16, BLANK, np.int32)
PUZZLE[0] = BLANK + 1
ANSWER = np.tile([2, 3, 4, 5], 4).astype(np.int32)


def test_boxes_have_lines_around_them() -> None:
    assert draw_sudoku(GRID, PUZZLE).splitlines() == [
        "┌─────┬─────┐",
        "│ 1 . │ . . │",
        "│ . . │ . . │",
        "├─────┼─────┤",
        "│ . . │ . . │",
        "│ . . │ . . │",
        "└─────┴─────┘",
    ]


def test_boxes_of_two_rows() -> None:
    lines = draw_sudoku(SudokuGrid(6), np.full(36, BLANK)).splitlines()
    assert lines[0] == "┌───────┬───────┐"
    assert [number for number, line in enumerate(lines) if "┼" in line] == [3, 6]


def test_givens_are_bold_and_the_rest_is_coloured() -> None:
    row = draw_sudoku(GRID, ANSWER, PUZZLE).splitlines()[1]
    assert row.startswith("│ [bold]1[/bold] [cyan]2[/cyan] │")


def test_changed_cells_are_reversed() -> None:
    previous = ANSWER.copy()
    previous[1] = BLANK
    row = draw_sudoku(GRID, ANSWER, PUZZLE, previous).splitlines()[1]
    assert "[cyan reverse]2[/cyan reverse] │ [cyan]3[/cyan]" in row
    cleared = draw_sudoku(GRID, previous, PUZZLE, ANSWER).splitlines()[1]
    assert "[reverse].[/reverse]" in cleared


def test_tokens_that_are_no_digit_are_drawn_as_blanks() -> None:
    tokens = np.array([0, 1, GRID.vocabulary, 99, *[BLANK] * 12])
    assert draw_sudoku(GRID, tokens, PUZZLE).splitlines()[1] == "│ . . │ . . │"
