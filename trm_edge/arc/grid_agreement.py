"""What two runs answer under the same augmentations: the figures before anything is voted on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trm_edge.arc.answer_parts import part_paths
from trm_edge.arc.augmentation import AugmentedName
from trm_edge.arc.grids import Grid
from trm_edge.arc.predictions import read_predictions
from trm_edge.arc.run_folder import RUN_NAME
from trm_edge.arc.test_set import TestSet, read_test_set
from trm_edge.arc.votes import OriginalAnswer, grid_key, original_answers

_BLOCK = 4096  # rows at once, for the sake of memory
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class GridAgreement:
    """Answers of two runs to the same questions.

    Args:
        questions: that both runs have answered.
        same: share of them with the same cropped answer.
        reference_right: share of right answers of the reference, where outputs are known.
        candidate_right: the same of the candidate.
    """

    questions: int
    same: float
    reference_right: float
    candidate_right: float


def is_run(folder: Path) -> bool:
    """Tell whether a path is the folder of a run.

    Args:
        folder: any path.
    """
    return (folder / RUN_NAME).is_file()


def compare_grids(
    reference: Path, candidate: Path, outputs: Mapping[str, Sequence[Grid]]
) -> GridAgreement | None:
    """Compare the single answers of two runs.

    Args:
        reference: folder of a run.
        candidate: folder of another run.
        outputs: of the test inputs by task.

    Returns:
        The agreement; None where they have no question in common.

    Raises:
        PuzzleError: a file cannot be read.
    """
    test_set = read_test_set(reference)
    labels = _labels(test_set, outputs)
    # A digest stands for an answer: a run has hundreds of thousands.
    answers = {}
    for answer in _answers(reference, test_set):
        answers[_question(answer)] = _digest(answer.answer)
    questions = 0
    same = 0
    right = [0, 0]
    for answer in _answers(candidate, read_test_set(candidate)):
        before = answers.get(_question(answer))
        if before is None:
            continue
        after = _digest(answer.answer)
        label = labels.get((answer.name.task, answer.question))
        questions += 1
        same += before == after
        right[0] += before == label
        right[1] += after == label
    if not questions:
        return None
    return GridAgreement(questions, same / questions, right[0] / questions, right[1] / questions)


def _labels(
    test_set: TestSet, outputs: Mapping[str, Sequence[Grid]]
) -> dict[tuple[str, bytes], bytes]:
    labels = {}
    for name, task in test_set.tasks.items():
        for pair, output in zip(task.tests, outputs.get(name, ()), strict=False):
            labels[name, grid_key(pair.input)] = _digest(grid_key(output))
    return labels


def _answers(folder: Path, test_set: TestSet) -> Iterator[OriginalAnswer]:
    for path in part_paths(folder):
        predictions = read_predictions(path)
        rows = np.flatnonzero(predictions.identifiers)
        for start in range(0, len(rows), _BLOCK):
            yield from original_answers(test_set, predictions, rows[start : start + _BLOCK])


def _question(answer: OriginalAnswer) -> tuple[AugmentedName, bytes]:
    return answer.name, _digest(answer.question)


def _digest(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_DIGEST_BYTES).digest()
