from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.evaluation.samples import fake_vectors
from trm_edge.puzzle import unknown_label
from trm_edge.regression.answers import Answers


def test_the_reference_agrees_with_itself() -> None:
    vectors = fake_vectors()
    known = Answers.of(vectors, vectors)
    assert known.right_fixed.all()
    assert known.error.max() < 1e-3


def test_answers_to_puzzles_without_labels_are_compared_with_float32() -> None:
    vectors = fake_vectors()
    unknown = replace(
        vectors, labels=np.full_like(vectors.labels, unknown_label(vectors.labels.dtype))
    )
    other = replace(vectors, predictions=vectors.predictions.copy())
    other.predictions[3, :, 7] += 1
    right = Answers.of(unknown, other).right_adaptive
    assert np.flatnonzero(~right).tolist() == [3]
