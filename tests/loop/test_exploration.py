"""Exploration: how the tries at a puzzle differ."""

from __future__ import annotations

import numpy as np
import pytest

from tests.toys import FAMILY
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.errors import ConfigError
from trm_edge.loop.exploration import Exploration
from trm_edge.noise import Noise
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.sudoku import SudokuTask

PUZZLE = Puzzle(np.random.default_rng(0).integers(1, 11, 81, dtype=np.int32))
FORMS = SudokuTask(FAKE_CONFIG).augmentations(3)


def test_the_first_try_is_the_puzzle_itself() -> None:
    own_noise = Puzzle(PUZZLE.tokens, noise=Noise(0.1, b"own"))
    exploration = Exploration(4, FORMS, noise=0.3, start=1.0)
    first = exploration.attempt(own_noise, 0, FAKE_CONFIG)
    np.testing.assert_array_equal(first.tokens, PUZZLE.tokens)
    assert first.noise == own_noise.noise
    assert first.start is None


def test_later_tries_differ_in_form_noise_and_start() -> None:
    exploration = Exploration(7, FORMS, noise=0.3, start=1.0, noisy_states=("z_H", "z_L"))
    tries = [exploration.attempt(PUZZLE, number, FAKE_CONFIG) for number in range(1, 7)]
    assert len({attempt.tokens.tobytes() for attempt in tries}) == len(FORMS)
    keys = {attempt.noise.key for attempt in tries if attempt.noise is not None}
    assert len(keys) == 6
    starts = set()
    for attempt in tries:
        assert attempt.start is not None
        assert set(attempt.start) == {"z_H", "z_L"}
        starts.add(attempt.start["z_H"].tobytes())
    assert len(starts) == 6
    np.testing.assert_array_equal(tries[2].tokens, PUZZLE.tokens)  # the forms begin again


@pytest.mark.parametrize(("name", "state"), [("hrm", "z_H"), ("trm-singlez", "z_L")])
def test_noise_is_on_the_state_of_the_answer(name: str, state: str) -> None:
    puzzle = Puzzle(np.ones(FAMILY[name].seq_len, np.int32))
    attempt = Exploration(2, noise=0.3).attempt(puzzle, 1, FAMILY[name])
    assert attempt.noise is not None
    assert attempt.noise.states == (state,)


def test_the_seed_changes_the_noise() -> None:
    keys = []
    for seed in (0, 1):
        attempt = Exploration(2, noise=0.3, seed=seed).attempt(PUZZLE, 1, FAKE_CONFIG)
        assert attempt.noise is not None
        keys.append(attempt.noise.key)
    assert keys[0] != keys[1]


def test_explorations_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="needs 1 try or more, but got 0"):
        Exploration(0)
    with pytest.raises(ConfigError, match="sigma must be 0 or more and finite, but got -1"):
        Exploration(2, noise=-1)
    with pytest.raises(ConfigError, match=r"4 tries need .* but there are 3 augmentations"):
        Exploration(4, FORMS)
    with pytest.raises(ConfigError, match=r"2 tries need .* but there are 0 augmentations"):
        Exploration(2)
