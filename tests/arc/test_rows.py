"""Rows of a table are found by the names of tasks and their variants."""

from __future__ import annotations

import pytest

from tests.arc.voters import parsed
from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.rows import TaskRows, missing_rows_sentence
from trm_edge.errors import PuzzleError

NAMES = ["<blank>", "b|||t1|||0123456789", "a", "b", "a|||t3|||0213456789", "a|||t4|||0123456789"]
A = parsed("a", [[[1, 2], [3, 3]]])


def test_rows_of_tasks_and_variants() -> None:
    rows = TaskRows(NAMES, len(NAMES), ["a", "b", "c"])
    assert [rows.row(task) for task in "abc"] == [2, 3, None]
    assert rows.missing() == ["c"]
    assert [variant.row for variant in rows.variants(A)] == [2, 4, 5]
    assert [variant.row for variant in rows.variants(A, 1)] == [2, 4]
    assert parse_name(rows.variants(A)[1].name).augmentation.transform == 3
    # The original comes first, wherever its row is.
    assert [variant.row for variant in rows.variants(parsed("b", [[[1]]]))] == [3, 1]


def test_names_of_hrm() -> None:
    rows = TaskRows(["<blank>", "a", "a_t3_0213456789", "b_t1"], 4, ["a"])
    assert [variant.row for variant in rows.variants(A)] == [1, 2]
    assert parse_name(rows.variants(A)[1].name).augmentation.permutation == "0213456789"


@pytest.mark.parametrize("rows", [0, 1])
def test_a_model_that_does_not_tell_puzzles_apart(rows: int) -> None:
    shared = TaskRows(None, rows, ["a"])
    assert shared.missing() == []
    variants = shared.variants(A, 5)
    assert len({variant.name for variant in variants}) == 6
    assert {variant.row for variant in variants} == {0}
    assert variants == shared.variants(A, 5)


@pytest.mark.parametrize("names", [None, NAMES[:3]])
def test_unknown_names(names: list[str] | None) -> None:
    with pytest.raises(PuzzleError, match=r"does not say which task .*identifiers\.json"):
        TaskRows(names, len(NAMES), ["a"])


def test_the_sentence_about_missing_rows_is_not_endless() -> None:
    sentence = missing_rows_sentence([f"task{number}" for number in range(25)], 400)
    assert sentence.startswith("the bundle has no row for 25 of 400 tasks: task0, task1, ")
    assert "task19 and 5 more. Export a checkpoint" in sentence
    assert "trm-edge adapt" in sentence
