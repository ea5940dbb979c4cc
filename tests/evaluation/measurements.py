"""Measurements that are made up: what comparisons are tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.baseline import Answers, Measured, Speed
from trm_edge.evaluation.machine import Machine

MACHINE = Machine("a CPU", ("avx2",), (), "Linux x86_64", 2, "3.11.0", "1.32.0")
PUZZLES = 512


def times(seed: int, median: float = 1.0, noise: float = 0.02) -> NDArray[np.float64]:
    """Seconds of 50 rounds, many of which met others on the machine; the run has its own shift."""
    rng = np.random.default_rng(seed)
    met = np.where(rng.random(50) < rng.uniform(0, 0.8), rng.uniform(1, 1.4, 50), 1.0)
    alone: NDArray[np.float64] = median * rng.lognormal(0, noise / 4, 1) * met
    return alone * rng.lognormal(0, noise / 2, 50)


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
    side_by_side = {
        slots: {
            name: times(100 * seed + 10 * row + column, slower if name == "step" else 1.0)
            for column, name in enumerate(("step", "matmul", "float32 step"))
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
        speeds=(Speed(MACHINE, side_by_side, memory=20e6, startup=0.4),),
    )
