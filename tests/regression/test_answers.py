from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.evaluation.samples import fake_vectors, without_answers
from trm_edge.regression.answers import Answers


def test_the_reference_agrees_with_itself() -> None:
    vectors = fake_vectors()
    known = Answers.of(vectors, vectors)
    assert known.right_fixed.all()
    assert known.error.max() < 1e-3


def test_answers_to_puzzles_without_labels_are_compared_with_float32() -> None:
    vectors = fake_vectors()
    unknown = without_answers(vectors)
    other = replace(vectors, predictions=vectors.predictions.copy())
    other.predictions[3, :, 7] += 1
    answers = Answers.of(unknown, other)
    assert np.flatnonzero(~answers.right_adaptive).tolist() == [3]
    assert not answers.labelled
    assert answers.figure == "agreement"


def test_one_unknown_answer_makes_it_agreement() -> None:
    vectors = fake_vectors()
    labels = vectors.labels.copy()
    labels[2] = without_answers(vectors).labels[2]
    labels[3] = labels[3] % 10 + 1  # known, and not what either answers
    partly = replace(vectors, labels=labels)
    answers = Answers.of(partly, vectors)
    assert answers.figure == "agreement"
    assert answers.right_fixed.all()
