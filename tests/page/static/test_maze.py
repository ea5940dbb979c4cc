"""Mazes on the page against the task of the Python runner."""

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
from trm_edge.tasks.maze import MazeTask

JUDGE = """
const { MazeTask } = await load("maze.js");
const task = new MazeTask({ columns: data.columns });
return data.pairs.map(([puzzle, answer]) => task.problem(puzzle, answer));
"""
PARSE = """
const { MazeTask } = await load("maze.js");
const task = new MazeTask({ columns: data.columns });
return data.texts.map((text) => {
  try {
    const tokens = task.parse(text);
    return [task.text(tokens), task.puzzleProblem(tokens)];
  } catch (error) { return error.message; }
});
"""
SMALL = "S..##.....##...G"


def maze(side: int) -> MazeTask:
    return MazeTask(replace(BASE, seq_len=side * side, vocab_size=6))


def held_out() -> list[tuple[list[int], list[int]]]:
    path = reference_puzzles("maze", "held_out", 169)
    assert path is not None
    pairs: list[tuple[list[int], list[int]]] = []
    for entry in maze(13).read(path):
        if isinstance(entry, Entry) and entry.answer is not None and len(pairs) < 40:
            pairs.append((entry.puzzle.tokens.tolist(), entry.answer.tolist()))
    return pairs


def changed(rng: np.random.Generator, answer: list[int], kind: str) -> list[int]:
    """Mark open cells, remove marks, or change any cell."""
    wrong = list(answer)
    candidates = {"mark": 2, "remove": 5}
    cells = np.arange(len(answer))
    if kind in candidates:
        cells = np.flatnonzero(np.array(answer) == candidates[kind])
    for cell in rng.choice(cells, 2, replace=False):
        wrong[cell] = {"mark": 5, "remove": 2}.get(kind, int(rng.integers(0, 6)))
    return wrong


def test_answers_are_judged_as_by_the_runner() -> None:
    rng = np.random.default_rng(0)
    pairs = held_out()
    for puzzle, answer in held_out():
        for kind in ("mark", "remove", "any"):
            pairs.append((puzzle, changed(rng, answer, kind)))
    task = maze(13)
    expected: list[Any] = []
    for puzzle, answer in pairs:
        expected.append(task.problem(np.array(puzzle), np.array(answer)))
    assert run_script(JUDGE, {"columns": 13, "pairs": pairs}) == expected
    kinds = {"ends at", "branches", "is marked", "is now"}
    assert {kind for kind in kinds if any(kind in (text or "") for text in expected)} == kinds


def test_a_detour_and_a_hopeless_maze() -> None:
    puzzle = "S..G" + "." * 12
    closed = "S#.G##" + "." * 10
    pairs = [
        (puzzle, "SooG" + "." * 12),
        (puzzle, "So.G.oo." + "." * 8),
        (puzzle, "S..Go..oo..ooooo"),
        (closed, closed),
        ("S" + "." * 15, "S" + "." * 15),
    ]
    ids = {"#": 1, ".": 2, "S": 3, "G": 4, "o": 5}
    tokens = [[[ids[cell] for cell in text] for text in pair] for pair in pairs]
    task = maze(4)
    expected = [task.problem(np.array(first), np.array(second)) for first, second in tokens]
    assert run_script(JUDGE, {"columns": 4, "pairs": tokens}) == expected
    assert expected[0] is None
    assert expected[2] == "the path takes 9 steps, but 3 are enough"
    assert expected[3] == "there is no path from S to G"


def test_texts_are_read_as_by_the_runner() -> None:
    task = maze(4)
    rows = [SMALL[start : start + 4] for start in range(0, 16, 4)]
    texts = [
        SMALL,
        SMALL.replace(".", " "),
        "\n".join(rows),
        "\n".join(rows).replace(".", " "),
        "\n".join(row.replace(".", " ").rstrip() or " " * 4 for row in rows),
        "\r\n".join(rows),
        task.draw(task.puzzle(SMALL).tokens).replace("[bold]", "").replace("[/bold]", ""),
    ]
    results = run_script(PARSE, {"columns": 4, "texts": texts})
    for text, result in zip(texts, results, strict=True):
        assert result == [SMALL, None], text
        assert task.text(task.puzzle(text).tokens) == SMALL, text


def test_what_is_no_maze_is_refused_with_a_reason() -> None:
    texts = ["", SMALL[1:], SMALL.replace("G", "x"), "S..G\n....", SMALL.replace("G", ".")]
    results = run_script(PARSE, {"columns": 4, "texts": texts})
    assert results == [
        "Expected 4 rows of 4 characters, or 16 characters in one line, but got 0 rows.",
        "Expected 16 characters, but got 15.",
        "Expected '#', '.' or ' ', 'S', 'G', but got 'x' at row 4, column 4.",
        "Expected 4 rows of 4 characters, or 16 characters in one line, but got 2 rows.",
        [SMALL.replace("G", "."), "Expected one S and one G, but got 1 and 0."],
    ]
    for text in texts:
        with pytest.raises(PuzzleError):
            maze(4).puzzle(text)
