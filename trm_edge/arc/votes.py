"""Counts the answers to the augmented variants of a test input, as the published evaluator does.

An answer is turned back to the original grid and is one vote for it. More votes come first; of
equal ones the higher mean of sigmoid(q_halt), and then the answer that was seen first. Other orders
are options. Votes accumulate over all predictions that are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.arc.augmentation import FIRST_COLOUR, AugmentedName
from trm_edge.arc.crop import crop_shapes
from trm_edge.arc.grids import SIDE, Grid
from trm_edge.arc.predictions import Predictions
from trm_edge.arc.test_set import TestSet
from trm_edge.dihedral import DIHEDRAL_INVERSES, dihedral
from trm_edge.errors import PuzzleError

# What comes first: votes as published, the mean confidence, or the sum of confidences.
VoteOrder = Literal["votes", "confidence", "sum"]
_BLOCK = 4096  # rows at once, for the sake of memory


class Candidate(NamedTuple):
    """An answer to a test input.

    Args:
        grid: (rows, columns) colours; (0, 0) where the model answered no grid.
        votes: rows with this answer.
        confidence: mean of sigmoid(q_halt) of those rows, 0 to 1.
    """

    grid: Grid
    votes: int
    confidence: float


class _Tally:
    """Votes for one answer, and the sum of their confidences in the order of arrival."""

    __slots__ = ("total", "votes")

    def __init__(self) -> None:
        self.votes = 0
        self.total = 0.0


class VoteCount:
    """The votes of all test inputs of a dataset.

    Args:
        test_set: the tasks, and the names of the rows.
        order: of the candidates.
    """

    def __init__(self, test_set: TestSet, order: VoteOrder = "votes") -> None:
        self._test_set = test_set
        self._order = order
        self.counted = 0  # rows
        self.ignored = 0  # rows whose question is no test input
        self._tallies: dict[str, dict[bytes, dict[bytes, _Tally]]] = {}
        for name, task in test_set.tasks.items():
            # Equal inputs share their votes.
            self._tallies[name] = {grid_key(pair.input): {} for pair in task.tests}

    def add(self, predictions: Predictions) -> None:
        """Count the votes of further rows; rows of identifier 0 only fill batches.

        Args:
            predictions: in the order of arrival.

        Raises:
            PuzzleError: an identifier is negative or has no name, or a name cannot be read.
        """
        if len(predictions) and int(predictions.identifiers.min()) < 0:
            raise PuzzleError(
                f"puzzle identifiers must be at least 0, got {predictions.identifiers.min()}."
            )
        confidences = _sigmoid(predictions.q_halt)
        real = np.flatnonzero(predictions.identifiers)
        for start in range(0, len(real), _BLOCK):
            self._add_block(predictions, real[start : start + _BLOCK], confidences)

    def _add_block(
        self,
        predictions: Predictions,
        rows: NDArray[np.int64],
        confidences: NDArray[np.float64],
    ) -> None:
        own = confidences[rows].tolist()
        originals = original_answers(self._test_set, predictions, rows)
        for (name, question, answer), confidence in zip(originals, own, strict=True):
            tallies = self._tallies.get(name.task, {}).get(question)
            if tallies is None:
                self.ignored += 1
                continue
            tally = tallies.get(answer)
            if tally is None:
                tally = tallies[answer] = _Tally()
            tally.votes += 1
            tally.total += confidence
            self.counted += 1

    def ranking(self, task: str) -> list[list[Candidate]]:
        """Return the candidates of each test input, best first.

        Args:
            task: its name.

        Returns:
            A list for each test input, empty where nothing was predicted.
        """
        ranked = {}
        for question, tallies in self._tallies[task].items():
            ranked[question] = _ranked(tallies, self._order)
        return [ranked[grid_key(pair.input)] for pair in self._test_set.tasks[task].tests]

    def votes(self, task: str, question: Grid) -> list[int]:
        """Return the votes of the answers to a test input, most first.

        Args:
            task: its name.
            question: the test input.
        """
        tallies = self._tallies[task][grid_key(question)]
        return sorted((tally.votes for tally in tallies.values()), reverse=True)


class OriginalAnswer(NamedTuple):
    """A row of predictions, turned back to the original grids.

    Args:
        name: of the row's puzzle.
        question: key of the test input.
        answer: key of the answer.
    """

    name: AugmentedName
    question: bytes
    answer: bytes


def original_answers(
    test_set: TestSet, predictions: Predictions, rows: NDArray[np.int64]
) -> Iterator[OriginalAnswer]:
    """Crop questions and answers, and turn them back.

    Args:
        test_set: has the names of the rows.
        predictions: some of whose rows are meant.
        rows: (n,) their numbers; some thousand at once, for the sake of memory.

    Raises:
        PuzzleError: an identifier has no name, or it cannot be read.
    """
    names = [test_set.name(int(identifier)) for identifier in predictions.identifiers[rows]]
    transforms = []
    tables = []
    for name in names:
        transforms.append(name.augmentation.transform)
        tables.append(name.augmentation.inverse_token_table)
    questions = _original_keys(predictions.inputs[rows], transforms, tables)
    answers = _original_keys(predictions.predictions[rows], transforms, tables)
    yield from map(OriginalAnswer, names, questions, answers)


def grid_key(grid: Grid) -> bytes:
    """Return bytes that two grids share if they have the same shape and cells.

    Args:
        grid: (rows, columns) uint8, at most 30 x 30.
    """
    rows, columns = grid.shape
    return bytes((rows, columns)) + grid.tobytes()


def _grid(key: bytes) -> Grid:
    return np.frombuffer(key, np.uint8, offset=2).reshape(key[0], key[1])


def _ranked(tallies: dict[bytes, _Tally], order: VoteOrder) -> list[Candidate]:
    candidates = []
    for key, tally in tallies.items():
        candidates.append(Candidate(_grid(key), tally.votes, tally.total / tally.votes))
    # The sort is stable, so of equals the one seen first stays first.
    candidates.sort(key=_SORT_KEYS[order], reverse=True)
    return candidates


def _votes_first(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.votes, candidate.confidence


def _confidence_first(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.confidence, candidate.votes


def _sum_first(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.votes * candidate.confidence, candidate.votes


_SORT_KEYS = {"votes": _votes_first, "confidence": _confidence_first, "sum": _sum_first}


def _original_keys(
    canvases: NDArray[np.uint8], transforms: list[int], tables: list[bytes]
) -> Iterator[bytes]:
    """Crop rows and turn them back.

    Args:
        canvases: (N, 900) tokens.
        transforms: number of each row's turn or reflection.
        tables: the original token of each token, for each row.

    Returns:
        The key of each row's original grid.
    """
    shapes = crop_shapes(canvases).tolist()
    recoloured = b"".join(
        [row.tobytes().translate(table) for row, table in zip(canvases, tables, strict=True)]
    )
    # Tokens below the first colour wrap around, but lie outside of every crop.
    colours = np.frombuffer(recoloured, np.uint8).reshape(-1, SIDE, SIDE) - np.uint8(FIRST_COLOUR)
    for canvas, (rows, columns), transform in zip(colours, shapes, transforms, strict=True):
        yield grid_key(dihedral(canvas[:rows, :columns], DIHEDRAL_INVERSES[transform]))


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute 1 / (1 + exp(-x)) without overflow."""
    decay = np.exp(-np.abs(logits))
    confidences: NDArray[np.float64] = np.where(logits >= 0, 1.0, decay) / (1.0 + decay)
    return confidences
