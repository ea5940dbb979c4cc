"""Answers on lines of their own: joined in a file, left out where a writer waits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trm_edge.puzzle import Puzzle
from trm_edge.tasks.answer_lines import with_answers, without_answers
from trm_edge.tasks.entries import AnswerLine, BadLine, Entry

FIRST = Entry(Puzzle(np.array([1, 2], np.int32)), 1)
SECOND = Entry(Puzzle(np.array([2, 1], np.int32)), 3)
ANSWER = AnswerLine(2, "is the answer to the puzzle of line 1", np.array([3, 2], np.int32))
BAD = BadLine(4, "expected 2 characters, but got 3")


def test_an_answer_joins_the_puzzle_on_the_line_before() -> None:
    first, second, bad = with_answers([FIRST, ANSWER, SECOND, BAD])
    assert isinstance(first, Entry)
    assert first.answer is ANSWER.answer
    assert (second, bad) == (SECOND, BAD)


def test_an_answer_without_its_puzzle_stays_a_line_of_its_own() -> None:
    assert list(with_answers([ANSWER, FIRST])) == [ANSWER, FIRST]
    assert list(with_answers([FIRST, BAD, ANSWER])) == [FIRST, BAD, ANSWER]


def test_only_the_first_of_two_answers_joins() -> None:
    joined = list(with_answers([FIRST, ANSWER, ANSWER]))
    assert len(joined) == 2
    assert joined[1] is ANSWER


def test_no_puzzle_waits_for_the_next_line_where_answers_are_left_out() -> None:
    def source() -> Iterator[Entry | BadLine]:
        yield FIRST
        raise AssertionError("the next line was read before the puzzle was handed out")

    assert next(without_answers(source())) is FIRST
    assert list(without_answers([FIRST, ANSWER, BAD])) == [FIRST, BAD]
