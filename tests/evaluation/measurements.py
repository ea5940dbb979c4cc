"""Measurements that are made up: what comparisons are tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.baseline import Answers, Measured, Speed
from trm_edge.evaluation.machine import Machine

MACHINE = Machine("a CPU", ("avx2",), (), "Linux x86_64", 2, "3.11.0", "1.32.0")
PUZZLES = 512


def times(seed: int, median: float = 1.0, noise: float = 0.02) -> NDArray[np.float64]:
    """Ratios of 25 rounds, with the run's own shift beside that of each round."""
    rng = np.random.default_rng(seed)
    drawn: NDArray[np.float64] = median * rng.lognormal(0, noise / 4) * rng.lognormal(0, noise, 25)
    return drawn


def answers(seed: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    right = rng.random(PUZZLES) < 0.97
    return Answers(
        puzzles="a" * 64,
        labels="b" * 64,
        right_fixed=right,
        right_adaptive=right & (rng.random(PUZZLES) < 0.98),
        steps=rng.integers(1, 17, PUZZLES).astype(np.int32),
        error=rng.lognormal(-7, 0.5, 64),
    )


def measured(seed: int = 0, slower: float = 1.0) -> Measured:
    ratios = {
        slots: {
            name: times(100 * seed + 10 * row + column, slower)
            for column, name in enumerate(("matmul", "float32 step"))
        }
        for row, slots in enumerate(("1", "8"))
    }
    return Measured(
        target="cpu",
        precision="int8",
        step_sha256="c" * 64,
        float32_sha256="d" * 64,
        answers=answers(),
        sizes={"step graph": 600_000},
        float_layers=("lm_head", "q_head"),
        engine_layers={},
        speeds=(Speed(MACHINE, ratios, memory=20e6, startup=0.4),),
    )
