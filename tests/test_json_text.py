"""JSON text: what is parsed, and what is refused."""

from __future__ import annotations

import pytest

from trm_edge.json_text import json_noun, json_problem, parse_json


@pytest.mark.parametrize("text", ['{"a": [1, 2.5]}', b'{"a": [1, 2.5]}', '\ufeff{"a": [1, 2.5]}'])
def test_text_and_bytes_are_parsed(text: str | bytes) -> None:
    assert parse_json(text) == {"a": [1, 2.5]}


def test_half_a_pair_of_surrogates_is_replaced() -> None:
    assert parse_json(rb'"a\ud800b"') == "a\ufffdb"
    assert parse_json(rb'"\ud83d\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "\ud800", b"\xff", "9" * 20, "[9" + "9" * 4000 + "]", "9" * 5000]
)
def test_what_is_not_json_of_numbers_that_fit_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|utf-8|64 bits|range|Input"):
        parse_json(text)


def test_long_digits_of_a_text_or_a_fraction_are_no_whole_number() -> None:
    digits = "9" * 5000
    assert parse_json(f'"{digits}"') == digits
    assert parse_json("0.12345678901234567890123") == pytest.approx(0.123456789)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (b" \n", "it is empty"),
        ("[" * 100_000, "it is nested too deeply"),
        (b'{"a": "\xe9"}', "it is not UTF-8 text"),
        ("[1]".encode("utf-16"), "it is not UTF-8 text"),
        ("{", "it is not valid JSON (Input data was truncated)"),
        ("53..7", "it is not valid JSON (invalid number (byte 3))"),
    ],
)
def test_what_is_wrong_is_said_in_words(text: str | bytes, problem: str) -> None:
    with pytest.raises((ValueError, RecursionError)) as raised:
        parse_json(text)
    assert json_problem(text, raised.value) == problem


def test_values_are_named_as_their_writer_knows_them() -> None:
    values: tuple[object, ...] = ({}, [], "", 1, 0.5, True, None)
    nouns = ("an object", "a list", "a text", "a number", "a number", "true or false", "nothing")
    assert tuple(map(json_noun, values)) == nouns
