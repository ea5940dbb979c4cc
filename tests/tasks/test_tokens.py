"""Raw token ids as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toys import BASE
from trm_edge.tasks.base import BadLine, Entry
from trm_edge.tasks.tokens import TokenTask

TASK = TokenTask(BASE)


@given(st.lists(st.integers(0, 6), min_size=9, max_size=9), st.integers(0, 2))
def test_text_and_tokens_round_trip(ids: list[int], identifier: int) -> None:
    tokens = np.array(ids, np.int32)
    (entry,) = TASK.read_lines([f"{identifier}: {TASK.text(tokens)}\n"])
    assert isinstance(entry, Entry)
    np.testing.assert_array_equal(entry.puzzle.tokens, tokens)
    assert entry.puzzle.identifier == identifier


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 2 3", "expected 9 token ids, but got 3"),
        ("1 2 3 4 5 6 7 8 x", "expected token ids separated by spaces"),
        ("1 2 3 4 5 6 0 1 7", r"token ids must lie in 0..6"),
        ("1 2 3 4 5 6 0 1 -1", r"token ids must lie in 0..6"),
        (f"1 2 3 4 5 6 0 1 {10**30}", "expected token ids separated by spaces"),
        ("3: 1 2 3 4 5 6 0 1 2", "identifier must lie in 0..2"),
        ("a: 1 2 3 4 5 6 0 1 2", "expected token ids separated by spaces"),
    ],
)
def test_a_malformed_line_says_what_is_wrong(line: str, reason: str) -> None:
    assert list(TASK.read_lines(["", "# comment", line])) == [BadLine(3, reason)]


@given(st.text(max_size=60))
def test_any_text_is_a_puzzle_or_a_reason(text: str) -> None:
    for item in TASK.read_lines(text.splitlines()):
        assert isinstance(item, Entry) or item.reason


def test_a_square_is_drawn_as_one() -> None:
    assert TASK.draw(np.arange(9)) == " 0  1  2\n 3  4  5\n 6  7  8"
    assert TASK.draw(np.arange(3)) == " 0  1  2"
    assert TASK.problem(np.arange(9), np.arange(9)) is None
