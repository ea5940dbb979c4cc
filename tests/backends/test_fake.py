from __future__ import annotations

import numpy as np
import pytest

from trm_edge.backends.fake import FakeBackend
from trm_edge.errors import BackendError

TOKENS = np.array([[0] * 81, [1] + [0] * 80, [3] + [0] * 80], np.int32)  # 1, 2 and 4 steps


def test_each_puzzle_halts_after_its_own_steps() -> None:
    backend = FakeBackend()
    assert backend.steps_needed(TOKENS).tolist() == [1, 2, 4]
    backend.start(3)
    reset = np.ones(3, bool)
    for step in range(1, 5):
        q_halt, _ = backend.step(TOKENS, None, reset)
        reset = np.zeros(3, bool)
        assert (q_halt > 0).tolist() == [step >= needed for needed in (1, 2, 4)]
        assert (backend.carry()[0][:, 0, 0] == step).all()
    assert backend.steps_run == 4
    assert backend.slot_steps_run == 12


def test_remaining_slots_keep_their_steps_and_tokens() -> None:
    backend = FakeBackend()
    backend.start(3)
    backend.step(TOKENS, None, np.ones(3, bool))
    backend.compact(np.array([2, 0]))
    q_halt, _ = backend.step(TOKENS[[2, 0]], None, np.zeros(2, bool))
    np.testing.assert_array_equal(q_halt, [-1.5, 1.5])
    np.testing.assert_array_equal(backend.predictions(np.array([0])), TOKENS[[2]])


def test_wrong_use_is_refused() -> None:
    backend = FakeBackend()
    with pytest.raises(BackendError, match=r"must be \(0, 81\), but got \(3, 81\).*start\(\)"):
        backend.step(TOKENS, None, np.ones(3, bool))
    backend.start(3)
    with pytest.raises(BackendError, match="before its first reset"):
        backend.step(TOKENS, None, np.zeros(3, bool))
