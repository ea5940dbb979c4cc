"""Times a target's step beside reference workloads, and starts of processes that solve a puzzle.

A session loads everything anew, since where memory comes to lie is worth some percent, and is
short, since a neighbour on the machine may be heavy for a while. Of each session the quickest calls
count, and over the sessions the median: an unlucky one among them changes little.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from trm_edge.bundle import Bundle
from trm_edge.evaluation.footprint import footprint
from trm_edge.evaluation.machine import Machine
from trm_edge.evaluation.steps import float32_backend, on_cpu, repeated_step
from trm_edge.evaluation.timing import quickest
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.progress import Track, silent
from trm_edge.regression.baseline import Speed, Times
from trm_edge.regression.reference_workload import matmul

SLOTS = (1, 8)  # of the steps that are timed
REPEATS = 16  # at most, and always for a baseline
MIN_REPEATS = 6
STEP, MATMUL, FLOAT32 = "step", "matmul", "float32 step"  # the last two are reference workloads
_SECONDS = 0.6  # of a session
_TURN = 0.02  # seconds: short ones meet a busy machine's pauses

Decided = Callable[[str, Times], bool]  # whether more sessions of so many slots change a verdict


def _never(slots: str, times: Times) -> bool:
    return False


def measure_speed(
    bundle: Bundle,
    target: str,
    *,
    repeats: int = REPEATS,
    slots: Sequence[int] = SLOTS,
    decided: Decided = _never,
    track: Track = silent,
) -> Speed:
    """CPU time of one thread where a CPU computes, else seconds of the wall's clock.

    Args:
        sessions: at most; fewer where ``decided`` says so of what the first ones gave.
    """
    vectors = bundle.parity()
    taken: dict[str, dict[str, list[float]]] = {str(count): {} for count in slots}
    open_ = list(taken)
    for repeat in track(range(repeats), "timing steps beside reference workloads", repeats):
        for count in open_:
            for name, seconds in _repeat(bundle, target, vectors, int(count)).items():
                taken[count].setdefault(name, []).append(seconds)
        if repeat + 1 >= min(MIN_REPEATS, repeats):
            open_ = [count for count in open_ if not decided(count, _arrays(taken[count]))]
    cold = footprint(bundle.path, target)
    return Speed(
        machine=Machine.current(),
        times={count: _arrays(by) for count, by in taken.items()},
        memory=float(cold.peak - cold.peak_alone),
        startup=float(np.min(cold.cpu) / np.min(cold.cpu_alone)),
    )


def _repeat(bundle: Bundle, target: str, vectors: ParityVectors, slots: int) -> Mapping[str, float]:
    """Seconds of a step and of what it is held against, all loaded anew."""
    table = bundle.puzzle_embeddings()
    with ExitStack() as stack:
        backend = stack.enter_context(bundle.backend(target, threads=1))
        cpu = on_cpu(backend)
        runs: dict[str, Callable[[], Any]] = {STEP: repeated_step(backend, table, vectors, slots)}
        if cpu:
            runs[MATMUL] = matmul(threads=1)
            plain = float32_backend(bundle, threads=1)
            if plain is not None:
                active = stack.enter_context(plain)
                runs[FLOAT32] = repeated_step(active, table, vectors, slots)
        return quickest(runs, _SECONDS, _TURN, time.thread_time if cpu else time.perf_counter)


def _arrays(taken: Mapping[str, Sequence[float]]) -> Times:
    return {name: np.array(seconds) for name, seconds in taken.items()}
