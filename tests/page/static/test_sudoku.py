"""Sudoku on the page against the task of the Python runner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.page.node import run_script
from tests.toys import BASE
from trm_edge.errors import PuzzleError
from trm_edge.reference import reference_puzzles
from trm_edge.tasks.base import Entry
from trm_edge.tasks.sudoku import SudokuTask

JUDGE = """
const { SudokuTask } = await load("sudoku.js");
const task = new SudokuTask(data.task);
return data.pairs.map(([puzzle, answer]) => task.problem(puzzle, answer));
"""
PARSE = """
const { SudokuTask } = await load("sudoku.js");
const task = new SudokuTask(data.task);
return data.texts.map((text) => {
  try { return task.parse(text); } catch (error) { return error.message; }
});
"""
LINE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"


def sudoku(side: int = 9) -> SudokuTask:
    return SudokuTask(replace(BASE, seq_len=side * side, vocab_size=side + 2))


def described(task: SudokuTask) -> dict[str, Any]:
    return {"columns": task.columns, "boxes": task.boxes, "looks": task.looks()}


def held_out(task: SudokuTask) -> list[tuple[list[int], list[int]]]:
    path = reference_puzzles("sudoku", "held_out", 81)
    assert path is not None
    pairs: list[tuple[list[int], list[int]]] = []
    for entry in task.read(path):
        if isinstance(entry, Entry) and entry.answer is not None and len(pairs) < 40:
            pairs.append((entry.puzzle.tokens.tolist(), entry.answer.tolist()))
    return pairs


def test_answers_are_judged_as_by_the_runner() -> None:
    task = sudoku()
    rng = np.random.default_rng(0)
    pairs = held_out(task)
    for puzzle, answer in held_out(task):
        for changes in (1, 2, 5):
            wrong = list(answer)
            for cell in rng.choice(81, changes, replace=False):
                wrong[cell] = int(rng.integers(0, 11))
            pairs.append((puzzle, wrong))
    expected = []
    for puzzle, answer in pairs:
        expected.append(task.problem(np.array(puzzle), np.array(answer)))
    assert run_script(JUDGE, {"task": described(task), "pairs": pairs}) == expected
    kinds = {"row", "column", "does not hold", "was given"}
    assert {kind for kind in kinds if any(kind in (text or "") for text in expected)} == kinds
    assert expected.count(None) >= 40


@pytest.mark.parametrize("side", [4, 6, 9, 16, 25])
def test_boxes_of_every_size(side: int) -> None:
    """A Latin square whose boxes repeat digits, and one whose boxes do not."""
    task = sudoku(side)
    rows = np.arange(side)
    latin = (rows[:, None] + rows) % side + 2
    height, width = task.boxes
    shifts = (rows % height) * width + rows // height
    solved = (shifts[:, None] + rows) % side + 2
    puzzle = np.ones(side * side, int)
    pairs = [(puzzle, latin.ravel()), (puzzle, solved.ravel())]
    expected = [task.problem(*pair) for pair in pairs]
    data = {"task": described(task), "pairs": [[p.tolist(), a.tolist()] for p, a in pairs]}
    assert run_script(JUDGE, data) == expected
    assert expected[0] is not None
    assert expected[1] is None


def test_texts_are_read_as_by_the_runner() -> None:
    task = sudoku()
    tokens = task.puzzle(LINE).tokens
    picture = task.draw(tokens)
    rows = [LINE[start : start + 9] for start in range(0, 81, 9)]
    dashed = LINE.replace(".", "-")
    dashed_rows = [dashed[start : start + 9] for start in range(0, 81, 9)]
    texts = [
        LINE,
        f"  {LINE}\n",
        LINE.replace(".", "0"),
        LINE.replace(".", "_"),
        LINE.replace(".", "*"),
        dashed,
        "\n".join(rows),
        "\r\n".join(rows),
        "# a comment\n\n" + "\n".join(rows) + "\n",
        "\n".join(" ".join(row) for row in rows),
        "\n".join("|".join(row) for row in rows),
        "\n".join(dashed_rows),
        picture,
        picture.replace("│", "|").replace("─", "-"),
        "\n---+---+---\n".join(["\n".join(rows[:3]), "\n".join(rows[3:6]), "\n".join(rows[6:])]),
    ]
    results = run_script(PARSE, {"task": described(task), "texts": texts})
    for text, result in zip(texts, results, strict=True):
        assert result == tokens.tolist(), text
        assert task.puzzle(text).tokens.tolist() == result, text


def test_what_is_no_grid_is_refused_with_a_reason() -> None:
    task = sudoku()
    texts = ["", LINE[:-1], LINE + "1", LINE.replace("5", "a", 1), "hello"]
    results = run_script(PARSE, {"task": described(task), "texts": texts})
    assert results == [
        "Expected 81 cells, but got 0.",
        "Expected 81 cells, but got 80.",
        "Expected 81 cells, but got 82.",
        "Expected 1-9 and '.' or '0' for blanks, but got 'a' at row 1, column 1.",
        "Expected 81 cells, but got 5.",
    ]
    for text in texts:
        with pytest.raises(PuzzleError):
            task.puzzle(text)


def test_large_grids_have_letters() -> None:
    task = sudoku(16)
    tokens = np.ones(256, int)
    tokens[:16] = np.arange(2, 18)
    text = task.text(tokens)
    data = {"task": described(task), "texts": [text, text.lower()]}
    assert run_script(PARSE, data) == [tokens.tolist()] * 2


def test_puzzles_that_cannot_be_solved() -> None:
    script = """
    const { SudokuTask } = await load("sudoku.js");
    const task = new SudokuTask(data.task);
    return data.texts.map((text) => {
      const tokens = task.parse(text);
      return [task.puzzleProblem(tokens), task.text(tokens)];
    });
    """
    task = sudoku()
    twice = "55" + LINE[2:]
    solved = task.text(np.array(held_out(task)[0][1]))
    results = run_script(
        script, {"task": described(task), "texts": [LINE, twice, solved, "." * 81]}
    )
    assert [problem for problem, _ in results] == [
        None,
        "row 1 is given 5 twice.",
        "No cell is blank: nothing is left to solve.",
        None,
    ]
    assert [text for _, text in results] == [LINE, twice, solved, "." * 81]
