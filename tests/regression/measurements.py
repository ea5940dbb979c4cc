"""Measurements that are made up: what comparisons are tested on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.machine import Machine
from trm_edge.regression.baseline import Answers, Measurement, Speed
from trm_edge.regression.check import Check, regressed

MACHINE = Machine("a CPU", ("avx2",), (), "Linux x86_64", 2, "3.11.0", "1.32.0")
PUZZLES = 512


def times(
    rng: np.random.Generator, seconds: float = 1.0, repeats: int = 16, load: float = 0.2
) -> NDArray[np.float64]:
    """Seconds of sessions, each with places in memory of its own, some of which met others.

    Spreads are those of `benchmarks/regression.py` on a shared machine.
    """
    met = np.where(rng.random(repeats) < load, rng.uniform(1, 1.25, repeats), 1.0)
    found: NDArray[np.float64] = seconds * met * rng.lognormal(0, 0.01, repeats)
    return found


def speed(seed: int = 0, slower: float = 1.0, load: float = 0.2) -> Speed:
    rng = np.random.default_rng(seed)
    seconds = {"step": slower, "matmul": 0.3, "float32 step": 2.0}
    return Speed(
        MACHINE,
        {
            slots: {name: times(rng, one, load=load) for name, one in seconds.items()}
            for slots in ("1", "8")
        },
        memory=20e6,
        startup=1.6,
    )


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


def measured(**change: Any) -> Measurement:
    return replace(
        Measurement(
            target="cpu",
            precision="int8",
            step_sha256="c" * 64,
            float32_sha256="d" * 64,
            answers=answers(),
            sizes={"step graph": 600_000},
            float_layers=("lm_head", "q_head"),
            engine_layers={},
            speeds=(speed(),),
        ),
        **change,
    )


def red(checks: dict[str, Check]) -> list[str]:
    return [check.name for check in regressed(list(checks.values()))]
