"""Invented measurements, on which comparisons are tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.machine import Machine
from trm_edge.regression.answers import Answers
from trm_edge.regression.baseline import STEP_GRAPH, Measurement, Speed
from trm_edge.regression.check import Check, regressed
from trm_edge.regression.speed import FLOAT32, MATMUL, STEP

MACHINE = Machine("a CPU", ("avx2",), (), "Linux x86_64", 2, "3.11.0", "1.32.0")
PUZZLES = 512


def times(
    rng: np.random.Generator, seconds: float = 1.0, repeats: int = 16, load: float = 0.2
) -> NDArray[np.float64]:
    """Seconds of repeats, each with its own luck in memory, a share of them slowed by other load.

    Spreads are those of `benchmarks/regression.py` on a shared machine.
    """
    slowed = rng.random(repeats) < load
    slowdown = np.where(slowed, rng.uniform(1, 1.25, repeats), 1.0)
    seconds_of_repeats: NDArray[np.float64] = seconds * slowdown * rng.lognormal(0, 0.01, repeats)
    return seconds_of_repeats


def speed(seed: int = 0, slower: float = 1.0, load: float = 0.2) -> Speed:
    """Speed on :data:`MACHINE`; ``slower`` multiplies the time of a step alone."""
    rng = np.random.default_rng(seed)
    seconds = {STEP: slower, MATMUL: 0.3, FLOAT32: 2.0}
    times_by_slots = {}
    for slots in ("1", "8"):
        times_by_slots[slots] = {
            name: times(rng, typical, load=load) for name, typical in seconds.items()
        }
    return Speed(MACHINE, times_by_slots, memory_bytes=20e6, startup_ratio=1.6)


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
    """A measurement of an INT8 bundle with some fields replaced."""
    measurement = Measurement(
        target="cpu",
        precision="int8",
        step_sha256="c" * 64,
        float32_sha256="d" * 64,
        answers=answers(),
        sizes={STEP_GRAPH: 600_000},
        float_layers=("lm_head", "q_head"),
        engine_layers={},
        speeds=(speed(),),
    )
    return replace(measurement, **change)


def red(checks: dict[str, Check]) -> list[str]:
    """Identifiers of the checks that regressed."""
    return ids_of(regressed(list(checks.values())))


def ids_of(checks: Iterable[Check]) -> list[str]:
    return [check.id for check in checks]
