from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.toys import BASE
from trm_edge.backends.base import carry_specs
from trm_edge.backends.fake import FAKE_CONFIG, FakeBackend
from trm_edge.step import step_inputs


def test_carries_are_the_inputs_that_describe_no_puzzle() -> None:
    for config in (BASE, replace(BASE, puzzle_emb_ndim=0, puzzle_emb_len=0)):
        inputs = step_inputs(config, "float16")
        assert [spec.name for spec in carry_specs(inputs)] == ["z_H", "z_L"]


class OneToken(FakeBackend):
    """Predicts the last token id everywhere."""

    def logits(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        logits = np.zeros((len(slots), 2, self.config.vocab_size), np.float32)
        logits[..., -1] = 1
        return logits


def test_predictions_fit_the_vocabulary() -> None:
    for vocab_size, dtype in ((11, np.uint8), (1000, np.uint16)):
        backend = OneToken(replace(FAKE_CONFIG, vocab_size=vocab_size))
        predictions = backend.predictions(np.array([0, 1, 2]))
        assert predictions.dtype == dtype
        assert predictions.shape == (3, 2)
        assert (predictions == vocab_size - 1).all()


def test_a_step_can_be_launched_and_waited_for() -> None:
    with FakeBackend() as backend:
        assert backend.slot_groups(500) == (backend,)
        backend.start(1)
        tokens = np.ones((1, 81), np.int32)
        backend.launch_step(tokens, None, np.ones(1, bool))
        launched = backend.wait_step()
        backend.start(1)
        np.testing.assert_array_equal(
            launched.q_halt, backend.step(tokens, None, np.ones(1, bool)).q_halt
        )
