"""Votes are counted and ordered as the published evaluator does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trm_edge.arc.augmentation import Augmentation
from trm_edge.arc.encoding import encode
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.task import Pair, parse_task
from trm_edge.arc.test_set import TestSet
from trm_edge.arc.votes import VoteCount, VoteOrder
from trm_edge.errors import PuzzleError

AUGMENTATION = Augmentation(3, "0234567891")
QUESTION = [[1, 2, 3]]
TASK = {
    "train": [{"input": [[1]], "output": [[1]]}],
    "test": [{"input": QUESTION, "output": [[7]]}, {"input": [[9]], "output": [[9]]}],
}
NAMES = ["<blank>", "a", AUGMENTATION.name("a"), "b"]


@pytest.fixture
def test_set() -> TestSet:
    from trm_edge.arc.augmentation import parse_name

    return TestSet(Path("dataset"), {"a": parse_task("a", TASK)}, NAMES, (), parse_name)


def rows(*answers: tuple[int, list[list[int]], float]) -> Predictions:
    """Rows of the first test input: identifier, answer in the original's terms, and q."""
    inputs = []
    predictions = []
    for identifier, answer, _ in answers:
        augmentation = AUGMENTATION if identifier == 2 else Augmentation()
        pair = Pair(np.array(QUESTION, np.uint8), np.array(answer, np.uint8))
        inputs.append(encode(augmentation.apply(pair.input)))
        predictions.append(encode(augmentation.apply(pair.answer())))
    return Predictions(
        np.array([row[0] for row in answers]),
        np.stack(inputs),
        np.stack(predictions),
        np.array([row[2] for row in answers]),
    )


def ranked(count: VoteCount) -> list[tuple[list[list[int]], int]]:
    return [(candidate.grid.tolist(), candidate.votes) for candidate in count.ranking("a")[0]]


@pytest.mark.parametrize(
    ("order", "first"), [("votes", [[1]]), ("confidence", [[2]]), ("sum", [[3]])]
)
def test_other_orders(order: VoteOrder, first: list[list[int]], test_set: TestSet) -> None:
    count = VoteCount(test_set, order)
    count.add(rows(*[(1, [[1]], -2.0)] * 4, (1, [[2]], 3.0), *[(1, [[3]], 2.0)] * 3))
    assert ranked(count)[0][0] == first
    assert count.votes("a", np.array(QUESTION, np.uint8)) == [4, 3, 1]


def test_augmented_answers_are_turned_back(test_set: TestSet) -> None:
    count = VoteCount(test_set)
    count.add(rows((1, [[4, 5], [6, 7]], 0.0), (2, [[4, 5], [6, 7]], 2.0)))
    (candidate,) = count.ranking("a")[0]
    assert candidate.grid.tolist() == [[4, 5], [6, 7]]
    assert candidate.votes == 2
    assert candidate.confidence == pytest.approx((0.5 + 1 / (1 + np.exp(-2.0))) / 2)
    assert count.ranking("a")[1] == []


def test_votes_then_confidence_then_arrival(test_set: TestSet) -> None:
    count = VoteCount(test_set)
    count.add(rows((1, [[1]], 9.0), (1, [[2]], 0.0), (1, [[3]], 0.0), (1, [[4]], 1.0)))
    assert ranked(count) == [([[1]], 1), ([[4]], 1), ([[2]], 1), ([[3]], 1)]
    count.add(rows((2, [[3]], -9.0)))
    assert ranked(count)[0] == ([[3]], 2)
    assert [grid for grid, _ in ranked(count)[1:]] == [[[1]], [[4]], [[2]]]


def test_shapes_tell_candidates_apart(test_set: TestSet) -> None:
    count = VoteCount(test_set)
    count.add(rows((1, [[1, 2]], 0.0), (1, [[1], [2]], 0.0)))
    assert len(count.ranking("a")[0]) == 2


def test_blank_rows_and_other_questions_do_not_count(test_set: TestSet) -> None:
    count = VoteCount(test_set)
    blank = replace(rows((1, [[1]], 0.0)), identifiers=np.array([0]))
    other = replace(rows((1, [[1]], 0.0)), identifiers=np.array([3]))
    count.add(blank)
    count.add(other)
    assert (count.counted, count.ignored) == (0, 1)


def test_large_logits(test_set: TestSet) -> None:
    count = VoteCount(test_set)
    count.add(rows((1, [[1]], 1e4), (1, [[2]], -1e4), (1, [[3]], np.inf)))
    assert [candidate.confidence for candidate in count.ranking("a")[0]] == [1.0, 1.0, 0.0]


def test_identifiers_of_another_dataset(test_set: TestSet) -> None:
    for identifier, reason in ((4, "identifier 4, but"), (-1, "must be at least 0")):
        foreign = replace(rows((1, [[1]], 0.0)), identifiers=np.array([identifier]))
        with pytest.raises(PuzzleError, match=reason):
            VoteCount(test_set).add(foreign)
