from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.samples import fake_vectors, without_answers
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import BundleError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors


def test_round_trip(tmp_path: Path) -> None:
    vectors = fake_vectors()
    vectors.save(tmp_path / "parity.npz")
    content = (tmp_path / "parity.npz").read_bytes()
    loaded = ParityVectors.decode(content, FAKE_CONFIG, "parity.npz")
    assert compare(vectors, loaded) == compare(vectors, vectors)


def test_damaged_arrays() -> None:
    vectors = fake_vectors()
    with pytest.raises(BundleError, match=r"parity\.npz does not hold .* not an \.npz file"):
        ParityVectors.decode(b"", FAKE_CONFIG, "parity.npz")
    with pytest.raises(BundleError, match=r"labels must be \(20, 81\), but is \(19, 81\)"):
        replace(vectors, labels=vectors.labels[:-1])


def test_cells_without_a_label_do_not_count() -> None:
    """The canvas around a grid: training leaves it out, so a model says anything there."""
    vectors = fake_vectors()
    predictions = vectors.predictions.copy()
    predictions[:, :, 70:] = 3
    labels = vectors.labels.copy()
    labels[:, 70:] = 0
    around = replace(vectors, predictions=predictions, labels=labels)
    for adaptive in (False, True):
        answers = around.answers(adaptive=adaptive)
        np.testing.assert_array_equal(answers[:, :70], vectors.answers(adaptive=adaptive)[:, :70])
        assert (answers[:, 70:] == 0).all()


def test_the_known_answers_are_right_and_else_this_run_s_own() -> None:
    vectors = fake_vectors()
    unknown = without_answers(vectors)
    for adaptive in (False, True):
        np.testing.assert_array_equal(vectors.right_answers(adaptive=adaptive), vectors.labels)
        np.testing.assert_array_equal(
            unknown.right_answers(adaptive=adaptive), unknown.answers(adaptive=adaptive)
        )
