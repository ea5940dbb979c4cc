from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from tests.batch.runs import MAKER, TASK, puzzle_texts
from trm_edge.batch.answers import ANSWER_SCHEMA, failed_answers
from trm_edge.batch.rows import row_table
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.loop.solution import Solution
from trm_edge.tasks.entries import Entry

SOLVED = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
OPEN = f"{SOLVED[:40]}{'.' * 41}"
BROKEN = f"5{SOLVED[:80]}"


def tokens(text: str) -> NDArray[np.int32]:
    """Token ids of a full grid, which is no puzzle."""
    return np.array([int(digit) + 1 for digit in text], np.int32)


def entry(text: str, answer: str | None = None) -> Entry:
    known = None if answer is None else tokens(answer)
    return Entry(TASK.puzzle(text), 1, known)


def solution(text: str, q_halt: float = 2.0) -> Solution:
    logits = np.array([-1.0, q_halt], np.float32)
    return Solution(0, tokens(text).astype(np.uint8), 2, True, logits, np.zeros(2, np.float32))


def block(count: int) -> pa.Table:
    return row_table(7, count, {"puzzle": puzzle_texts(count)})


def test_failed_rows_between_solved_ones_keep_their_places() -> None:
    entries = [entry(OPEN), None, entry(OPEN), None]
    results: list[Solution | str] = [
        solution(SOLVED),
        "is no puzzle",
        solution(BROKEN),
        "the engine failed: out",
    ]
    answers = MAKER.table(block(4), entries, results)
    assert answers.schema.equals(ANSWER_SCHEMA, check_metadata=True)
    assert answers["row"].to_pylist() == [7, 8, 9, 10]
    assert answers["outcome"].to_pylist() == ["answered", "failed", "answered", "failed"]
    assert answers["answer"].to_pylist() == [SOLVED, None, BROKEN, None]
    assert answers["valid"].to_pylist() == [True, None, False, None]
    assert answers["error"].to_pylist() == [None, "is no puzzle", None, "the engine failed: out"]
    assert answers["steps"].to_pylist() == [2, None, 2, None]


def test_a_block_without_a_solution_has_the_same_columns() -> None:
    answers = MAKER.table(block(2), [None, None], ["no", "nor this"])
    assert answers.schema.equals(ANSWER_SCHEMA, check_metadata=True)
    assert answers["error"].to_pylist() == ["no", "nor this"]
    for name in ("answer", "valid", "correct", "steps", "q_halt", "timed_out"):
        assert answers[name].null_count == 2, name


def test_an_engine_failure_of_a_row_with_a_puzzle_is_a_failed_row() -> None:
    answers = MAKER.table(block(1), [entry(OPEN)], ["the engine failed: out of memory"])
    assert answers["outcome"].to_pylist() == ["failed"]
    assert answers["error"].to_pylist() == ["the engine failed: out of memory"]


def test_answers_that_are_withheld_are_judged_all_the_same() -> None:
    policy = AnswerPolicy(only_valid=True, min_confidence=0.9)
    maker = replace(MAKER, policy=policy)
    entries = [entry(OPEN)] * 3
    results = [solution(SOLVED, 5.0), solution(BROKEN, 5.0), solution(SOLVED, 0.0)]
    answers = maker.table(block(3), entries, results)
    assert answers["outcome"].to_pylist() == ["answered", "unsolved", "unsure"]
    assert answers["answer"].to_pylist() == [SOLVED, None, None]
    assert answers["valid"].to_pylist() == [True, False, True]
    assert answers["confidence"].to_pylist() == pytest.approx([0.9933, 0.9933, 0.5], abs=1e-4)
    assert answers["error"].null_count == 3


def test_only_rows_with_a_known_answer_are_compared() -> None:
    entries = [entry(OPEN, SOLVED), entry(OPEN), entry(OPEN, SOLVED)]
    results = [solution(SOLVED), solution(SOLVED), solution(BROKEN)]
    assert MAKER.table(block(3), entries, results)["correct"].to_pylist() == [True, None, False]


def test_the_confidence_is_that_of_the_last_step() -> None:
    answers = MAKER.table(block(1), [entry(OPEN)], [solution(SOLVED, 3.0)])
    assert answers["q_halt"].to_pylist() == [3.0]
    assert answers["confidence"].to_pylist() == pytest.approx([1 / (1 + np.exp(-3.0))])


@pytest.mark.parametrize("count", [0, 3])
def test_a_block_that_was_given_up_has_the_same_columns(count: int) -> None:
    rows = block(count)
    answers = failed_answers(rows, "its worker died", "c" * 64)
    assert answers.schema.equals(ANSWER_SCHEMA, check_metadata=True)
    assert answers["id"].to_pylist() == rows["id"].to_pylist()
    assert answers["outcome"].to_pylist() == ["failed"] * count
    assert answers["error"].to_pylist() == ["its worker died"] * count
    assert answers["bundle"].to_pylist() == ["c" * 64] * count
    assert answers["answer"].null_count == count
