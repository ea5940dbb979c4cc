"""The ARC task of the page: texts, what is drawn, and the judgement by a known solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.page.node import run_script
from tests.toys import BASE
from trm_edge.arc.encoding import encode
from trm_edge.tasks.arc import ArcAgiTask

TASK = ArcAgiTask(replace(BASE, seq_len=900, vocab_size=12))
JUDGE = """
const { ArcTask } = await load("arc.js");
const task = new ArcTask();
task.pairs = data.pairs;
const judge = task.judge(task.parse(JSON.stringify(data.input)));
return data.answers.map((tokens) => judge(tokens));
"""
TEXTS = """
const { ArcTask } = await load("arc.js");
const task = new ArcTask();
return data.map((tokens) => [task.text(tokens), task.rows(tokens), task.visible(tokens)]);
"""
EDIT = """
const { ArcTask } = await load("arc.js");
const task = new ArcTask();
const tokens = task.parse("12\\n34");
return [
  task.text(task.resized(tokens, 1, 40)),
  task.text(task.resized(tokens, 0, NaN)),
  task.text(task.empty(tokens)),
  task.text(task.empty()),
  task.puzzleProblem(tokens),
  task.palette.map(({ token, name, label }) => [token, name, label]),
  [0, 1, 2, 5].map((token) => task.cellName(token)),
];
"""


def tokens(*rows: list[int]) -> list[int]:
    return [int(token) for token in encode(np.array(rows, np.uint8))]


def test_an_answer_is_compared_with_the_known_solution() -> None:
    pairs = [
        {"input": [[1, 2]], "output": [[2, 1]]},
        {"input": [[3]], "output": None},
    ]
    answers = [tokens([2, 1]), tokens([2, 2]), tokens([2], [1]), [0] * 900]
    # Markers, and what stands around the grid, do not count.
    dirty = tokens([2, 1])
    dirty[2] = 0
    dirty[500] = 7
    data = {"pairs": pairs, "input": [[1, 2]], "answers": [*answers, dirty]}
    assert run_script(JUDGE, data) == [
        {"verdict": "right", "reason": None},
        {"verdict": "wrong", "reason": "1 of 2 cells differ from the solution"},
        {"verdict": "wrong", "reason": "it is 2 x 1, but the solution is 1 x 2"},
        {"verdict": "wrong", "reason": "it is no grid"},
        {"verdict": "right", "reason": None},
    ]
    known = np.array([tokens([2, 1])] * 5)
    is_right = TASK.are_right(np.array(data["answers"]), known)
    assert is_right.tolist() == [True, False, False, False, True]


def test_without_a_known_solution_nothing_is_judged() -> None:
    pairs = [{"input": [[1, 2]], "output": [[2, 1]]}, {"input": [[3]], "output": None}]
    for grid, reason in (
        ([[3]], "the task comes without its solution"),
        ([[4]], "the input was changed, so there is no known solution"),
    ):
        data = {"pairs": pairs, "input": grid, "answers": [tokens([1])]}
        assert run_script(JUDGE, data) == [{"verdict": "not known", "reason": reason}]


def test_texts_are_those_of_the_runner() -> None:
    dirty = tokens([2, 1], [0, 9])
    dirty[2] = 0
    dirty[500] = 7
    canvases = [tokens([1]), dirty, [1] * 900]
    results = run_script(TEXTS, canvases)
    assert [text for text, _, _ in results] == [TASK.text(np.array(each)) for each in canvases]
    assert [rows for _, rows, _ in results] == ["1", "2 1\n0 9", "(no grid)"]
    drawn = np.array(results[1][2]).reshape(30, 30)
    assert drawn[:2, :2].tolist() == [[4, 3], [2, 11]]
    assert drawn.sum() == 20


def test_a_grid_is_edited() -> None:
    wide, small, cleared, empty, problem, palette, names = run_script(EDIT)
    assert wide == f"[[1,2,{','.join('0' * 28)}]]"
    assert small == "[[1]]"
    assert (cleared, empty) == ("[[0,0],[0,0]]", "[[0,0,0],[0,0,0],[0,0,0]]")
    assert problem is None
    assert palette[0] == [2, "0", "0 black"]
    assert palette[9] == [11, "9", "9 maroon"]
    assert names == ["outside", "outside", "0 black", "3 green"]
