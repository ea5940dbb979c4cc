"""Votes on test inputs in the order in which they came: from predictions, or made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trm_edge.arc.predictions import read_predictions
from trm_edge.arc.test_set import read_test_set
from trm_edge.arc.votes import grid_key, original_answers

_BLOCK = 4096  # rows at once, for the sake of memory
_RIGHT = 0  # the right answer of a made-up input
_KNOWN = 0.45  # share of made-up inputs that have one among their votes
_DISCOUNT = 0.5  # of the Pitman-Yor process: many answers with a single vote


@dataclass
class VoteRecord:
    """The votes on a test input.

    Args:
        answers: number of the answer of each vote, in the order of arrival.
        right: number of the right answer; -1 where nobody gave it.
    """

    answers: list[int] = field(default_factory=list)
    right: int = -1

    def leading(self, count: int) -> list[int]:
        """Return the two answers with the most of the first votes; of equals the first seen.

        Args:
            count: number of votes.
        """
        numbers = np.bincount(self.answers[:count])
        seen = list(dict.fromkeys(self.answers[:count]))
        return sorted(seen, key=lambda answer: -int(numbers[answer]))[:2]


def read_records(dataset: Path, predictions: Sequence[Path]) -> list[VoteRecord]:
    """Turn predictions back, and number the answers of each test input.

    Args:
        dataset: the folder that they were made from, or that of a run.
        predictions: ``.npz`` files, in the order of arrival.
    """
    test_set = read_test_set(dataset)
    records: dict[tuple[str, bytes], VoteRecord] = {}
    numbers: dict[tuple[str, bytes], dict[bytes, int]] = {}
    for name, task in test_set.tasks.items():
        for pair in task.tests:
            key = (name, grid_key(pair.input))
            records[key] = VoteRecord(right=_RIGHT)
            numbers[key] = {grid_key(pair.answer()): _RIGHT}
    for path in predictions:
        rows = read_predictions(path)
        real = np.flatnonzero(rows.identifiers)
        for start in range(0, len(real), _BLOCK):
            for answer in original_answers(test_set, rows, real[start : start + _BLOCK]):
                key = (answer.name.task, answer.question)
                if key in records:
                    number = numbers[key].setdefault(answer.answer, len(numbers[key]))
                    records[key].answers.append(number)
    return [record for record in records.values() if record.answers]


def made_up_records(inputs: int, votes: int, seed: int = 0) -> list[VoteRecord]:
    """Make up votes with shares like those of published runs.

    Other answers than the right one come from a Pitman-Yor process, whose concentration differs
    from input to input: a few wrong answers take most votes, and many have a single one.

    Args:
        inputs: number of test inputs.
        votes: on each.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    records = []
    for _ in range(inputs):
        share = 0.0
        if random.random() < _KNOWN:
            share = float(random.beta(2.0, 1.5))
        concentration = float(np.exp(random.uniform(np.log(0.5), np.log(50))))
        records.append(_made_up(votes, share, concentration, random))
    return records


def _made_up(
    votes: int, share: float, concentration: float, random: np.random.Generator
) -> VoteRecord:
    counts: list[int] = []  # of the other answers
    answers = []
    for is_right in random.random(votes) < share:
        if is_right:
            answers.append(_RIGHT)
            continue
        new = concentration + _DISCOUNT * len(counts)
        weights = np.array([*(count - _DISCOUNT for count in counts), new])
        drawn = int(np.searchsorted(weights.cumsum(), random.random() * weights.sum()))
        if drawn == len(counts):
            counts.append(0)
        counts[drawn] += 1
        answers.append(drawn + 1)
    return VoteRecord(answers, _RIGHT)
