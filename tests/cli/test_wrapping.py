"""Wrapping loses no character but spaces, and cuts no word."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from trm_edge.cli.wrapping import JOINED, longest_line, longest_word, wrap

TEXT = f"at most 0.5{JOINED}points of exact match lost, 1,234,567 puzzles of 数独 and Ω"


@pytest.mark.parametrize("width", [1, 8, 20, 60, 80, 120])
def test_lines_are_no_wider_than_the_width_or_hold_a_single_word(width: int) -> None:
    lines = wrap(TEXT, width, indent=2)
    assert [line[2:] if number else line for number, line in enumerate(lines)]
    for line in lines:
        single = line.strip().replace(" ", JOINED) in TEXT.split(" ")
        assert cell_len(line) <= width or single
    assert " ".join(line.strip() for line in lines) == TEXT.replace(JOINED, " ")


def test_random_texts_come_back_whole() -> None:
    draw = random.Random(5)
    for _ in range(200):
        words = ["x" * draw.randint(1, 30) for _ in range(draw.randint(1, 20))]
        width = draw.randint(5, 60)
        lines = wrap(" ".join(words), width)
        assert " ".join(lines).split() == words
        assert all(len(line) <= width or line in words for line in lines)


def test_lines_are_filled() -> None:
    assert wrap("a b c d", 3) == ["a b", "c d"]
    assert wrap("a b c d", 3, indent=1) == ["a b", " c", " d"]


def test_line_breaks_and_empty_lines_stay() -> None:
    assert wrap("one\n\ntwo", 80) == ["one", "", "two"]
    assert wrap("", 80) == [""]


def test_measures() -> None:
    assert longest_word(TEXT) == len("0.5 points")
    assert longest_word("") == 0
    assert longest_line("ab\nabcd\n") == 4
    assert longest_line("数独") == 4
