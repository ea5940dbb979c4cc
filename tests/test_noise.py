"""Noise: the same for the same puzzle and try, and standard normal."""

from __future__ import annotations

import numpy as np
import pytest

from trm_edge.errors import ConfigError
from trm_edge.noise import WINDOWS, Noise, noise_key, noise_table, random_start, window_at

TOKENS = np.arange(9, dtype=np.int32)


def test_the_key_depends_on_puzzle_try_and_seed_alone() -> None:
    key = noise_key(TOKENS, 0, 1)
    assert noise_key(TOKENS.astype(np.int64), 0, 1) == key
    others = {
        noise_key(TOKENS[::-1], 0, 1),
        noise_key(TOKENS, 1, 1),
        noise_key(TOKENS, 0, 2),
        noise_key(TOKENS, 0, 1, seed=1),
    }
    assert len(others | {key}) == 5


def test_windows_differ_by_step_and_state() -> None:
    noise = Noise(0.3, noise_key(TOKENS, 0, 1), ("z_H", "z_L"))
    windows = [window for step in range(20) for window in noise.windows(step).values()]
    assert len(set(windows)) == 40
    assert all(0 <= window < WINDOWS for window in windows)
    assert noise.windows(3) == noise.windows(3)


def test_a_window_is_standard_normal_and_recorded() -> None:
    values = window_at(12_345, (97, 512))
    assert values.dtype == np.float32
    assert abs(float(values.mean())) < 0.02
    assert abs(float(values.std()) - 1) < 0.02
    # Answers are to be the same everywhere and in later versions.
    np.testing.assert_allclose(noise_table(4)[:3], [-0.76435214, -3.2664342, 2.6234596], rtol=1e-5)


def test_a_start_has_its_own_numbers() -> None:
    key = noise_key(TOKENS, 0, 1)
    start = random_start(key, 2.0, (97, 64), ("z_H", "z_L"))
    assert set(start) == {"z_H", "z_L"}
    assert abs(float(start["z_H"].std()) - 2) < 0.1
    assert not np.array_equal(start["z_H"], start["z_L"])
    first_step = window_at(Noise(1.0, key).windows(0)["z_H"], (97, 64))
    assert not np.array_equal(start["z_H"], 2 * first_step)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_a_sigma_that_no_noise_has(sigma: float) -> None:
    with pytest.raises(ConfigError, match="sigma must be 0 or more and finite"):
        Noise(sigma, b"")
