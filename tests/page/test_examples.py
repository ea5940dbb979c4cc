"""Easy and hard puzzles are those that the float32 model solves in few steps and in many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.page.examples import EACH, choose_examples

STEPS = 8  # that a puzzle may take


def vectors(steps: Sequence[int], wrong: Sequence[int] = ()) -> ParityVectors:
    """Vectors in which the first cell of puzzle n is n, the model halts at the given steps, and
    errs on the given puzzles."""
    count = len(steps)
    tokens = np.ones((count, 4), np.uint8)
    tokens[:, 0] = np.arange(count)
    predictions = np.full((count, STEPS, 4), 2, np.uint8)
    labels = np.full((count, 4), 2, np.uint8)
    labels[list(wrong), 0] = 3
    return ParityVectors(
        tokens=tokens,
        identifiers=np.zeros(count, np.int32),
        labels=labels,
        predictions=predictions,
        q_halt=np.zeros((count, STEPS), np.float32),
        q_continue=np.zeros((count, STEPS), np.float32),
        halting_steps=np.array(steps, np.int32),
        carry_positions=np.zeros(0, np.int32),
        carries={"z_H": np.zeros((0, STEPS, 2), np.float16)},
    )


def chosen(steps: Sequence[int], wrong: Sequence[int] = ()) -> list[tuple[str, int]]:
    """The label and the number of each example."""
    return [
        (example.label, example.tokens[0]) for example in choose_examples(vectors(steps, wrong))
    ]


def test_the_fewest_and_the_most_steps() -> None:
    steps = [4, 1, 8, 2, 3, 1, 1, 4, 3, 4, 5]
    examples = choose_examples(vectors(steps, wrong=[6, 9]))
    assert [example.steps for example in examples] == [1, 1, 2, 4, 4, 3]
    assert chosen(steps, wrong=[6, 9]) == [
        *(("Easy 1", 1), ("Easy 2", 5), ("Easy 3", 3)),
        *(("Hard 1", 7), ("Hard 2", 0), ("Hard 3", 8)),
    ]


@pytest.mark.parametrize("wrong", [[], [0, 1, 2, 3, 4, 5]])
def test_a_model_without_such_puzzles_has_examples(wrong: list[int]) -> None:
    numbers = [number for _, number in chosen([8, 8, 8, 8, 7, 8], wrong)]
    assert sorted(numbers) == [0, 1, 2, 3, 4, 5]
    assert numbers[0] == 4


def test_few_puzzles_are_chosen_once() -> None:
    examples = chosen([1, 1, 1, 1])
    assert [label for label, _ in examples] == ["Easy 1", "Easy 2", "Easy 3", "Hard 1"]
    assert len({number for _, number in examples}) == EACH + 1
