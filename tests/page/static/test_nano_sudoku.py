"""nano-trm's Sudokus on the page against the task of the Python runner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.page.node import run_script
from tests.toys import BASE
from trm_edge.tasks.nano_sudoku import NanoSudokuTask

JUDGE = """
const { NanoSudokuTask } = await load("nano-sudoku.js");
const task = new NanoSudokuTask(data.task);
return data.pairs.map(([puzzle, answer]) => task.judge(puzzle)(answer).reason);
"""
TEXTS = """
const { NanoSudokuTask } = await load("nano-sudoku.js");
const task = new NanoSudokuTask(data.task);
return data.texts.map((text) => {
  try {
    const tokens = task.parse(text);
    const { style, shape, boxes } = task.board(tokens);
    return [tokens, task.text(tokens), style, shape, boxes, task.visible(tokens, tokens)];
  } catch (error) { return error.message; }
});
"""
EDIT = """
const { NanoSudokuTask } = await load("nano-sudoku.js");
const task = new NanoSudokuTask(data.task);
const puzzle = task.parse(data.text);
const large = [...puzzle];
large[3] = 11;
return [
  task.text(task.empty()),
  task.text(task.empty(puzzle)),
  task.puzzleProblem(puzzle),
  task.puzzleProblem(large),
  task.rows(puzzle, puzzle),
  task.palette.map(({ token, name }) => [token, name]),
  [0, 1, 2, 3, 11].map((token) => task.cellName(token)),
];
"""
FOUR = "12..3..2.1..4.2."
SOLVED = "1234341221434321"
SIX = "1....6" + "." * 30
NINE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"


def task_of(canvas: int, digits: int) -> NanoSudokuTask:
    return NanoSudokuTask(replace(BASE, seq_len=canvas * canvas, vocab_size=digits + 3))


def described(task: NanoSudokuTask) -> dict[str, Any]:
    return {"columns": task.columns, "boxes": task.boxes, "looks": task.looks()}


def tokens(task: NanoSudokuTask, text: str) -> NDArray[Any]:
    return task.puzzle(text).tokens


@pytest.mark.parametrize(("canvas", "digits"), [(6, 4), (9, 9), (12, 9)])
def test_grids_of_every_size_are_put_into_the_canvas(canvas: int, digits: int) -> None:
    task = task_of(canvas, digits)
    texts = [text for text in (FOUR, SIX, NINE) if len(text) <= digits**2]
    results = run_script(TEXTS, {"task": described(task), "texts": texts})
    for text, result in zip(texts, results, strict=True):
        side = int(len(text) ** 0.5)
        boxes = {4: [2, 2], 6: [2, 3], 9: [3, 3]}[side]
        expected = tokens(task, text)
        grid = expected.reshape(canvas, canvas)[:side, :side].ravel().tolist()
        assert result == [expected.tolist(), text, "sudoku", [side, side], boxes, grid]


def test_other_texts_are_refused() -> None:
    results = run_script(TEXTS, {"task": described(task_of(9, 9)), "texts": ["", "12", "x" * 81]})
    assert results[:2] == ["Expected 81 cells, but got 0.", "Expected 81 cells, but got 2."]
    assert results[2].startswith("Expected 1-9 and '.' or '0' for blanks, but got 'x'")


def test_answers_are_judged_as_by_the_runner() -> None:
    task = task_of(9, 9)
    rng = np.random.default_rng(0)
    puzzle = tokens(task, FOUR)
    answer = puzzle.copy()
    answer.reshape(9, 9)[:4, :4].flat = [int(digit) + 2 for digit in SOLVED]
    pairs = [(puzzle, answer)]
    dirty = answer.copy()
    dirty[[5, 80]] = 7  # around the grid
    pairs.append((puzzle, dirty))
    for _ in range(60):
        wrong = answer.copy()
        row, column = rng.integers(0, 4, 2)
        wrong[9 * row + column] = rng.integers(0, 12)
        pairs.append((puzzle, wrong))
    data = [(first.tolist(), second.tolist()) for first, second in pairs]
    expected = [task.problem(*pair) for pair in pairs]
    assert run_script(JUDGE, {"task": described(task), "pairs": data}) == expected
    assert expected[:2] == [None, None]
    assert len(set(expected)) > 20


def test_a_grid_is_edited() -> None:
    task = task_of(9, 9)
    empty, same_size, problem, large, rows, palette, names = run_script(
        EDIT, {"task": described(task), "text": FOUR}
    )
    assert (empty, same_size) == ("." * 81, "." * 16)
    assert problem is None
    assert large == "A grid of 4 x 4 has no 9."
    assert rows == "12..\n3..2\n.1..\n4.2."
    assert palette[0] == [3, "1"]
    assert palette[-1] == [2, "Blank"]
    assert names == ["blank", "blank", "blank", "1", "9"]
