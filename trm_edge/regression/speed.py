"""Time a target's step beside reference workloads, and start processes that solve a puzzle.

Every repeat loads everything again, since where memory is placed is worth a few percent, and is
short, since another process on the machine may be busy for a while. Of each repeat the quickest
calls count, and over the repeats the median: an unlucky one among them changes little.
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
# Names of what is timed; the last two are the reference workloads.
STEP = "step"
MATMUL = "matmul"
FLOAT32 = "float32_step"
_REPEAT_SECONDS = 0.6
_TURN_SECONDS = 0.02  # short turns meet the pauses of a busy machine

# Whether further repeats with this number of slots can no longer change a verdict.
IsDecided = Callable[[str, Times], bool]


def never_decided(slots: str, times: Times) -> bool:
    """Run every repeat: what a baseline does.

    Args:
        slots: number of slots of the timed step.
        times: seconds of each repeat so far, by name of what was timed.
    """
    return False


def measure_speed(
    bundle: Bundle,
    target: str,
    *,
    repeats: int = REPEATS,
    slots: Sequence[int] = SLOTS,
    is_decided: IsDecided = never_decided,
    track: Track = silent,
) -> Speed:
    """Time steps and start processes.

    On a CPU the time is CPU time of one thread; elsewhere it is wall-clock time.

    Args:
        bundle: the bundle.
        target: name of the target.
        repeats: maximum number of timing repeats.
        slots: numbers of slots of the steps that are timed.
        is_decided: ends the repeats early, from ``MIN_REPEATS`` on.
        track: reports progress.

    Raises:
        BundleError: there is no such target, or the bundle's vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    vectors = bundle.parity()
    seconds: dict[str, dict[str, list[float]]] = {str(count): {} for count in slots}
    undecided = list(seconds)
    for repeat in track(range(repeats), "timing steps beside reference workloads", repeats):
        for count in undecided:
            for name, quickest_call in _repeat(bundle, target, vectors, int(count)).items():
                seconds[count].setdefault(name, []).append(quickest_call)
        if repeat + 1 < min(MIN_REPEATS, repeats):
            continue
        for count in list(undecided):
            if is_decided(count, _arrays(seconds[count])):
                undecided.remove(count)
    processes = footprint(bundle.path, target)
    return Speed(
        machine=Machine.current(),
        times={count: _arrays(by_name) for count, by_name in seconds.items()},
        memory_bytes=float(processes.peak - processes.peak_alone),
        startup_ratio=float(np.min(processes.cpu) / np.min(processes.cpu_alone)),
    )


def _repeat(bundle: Bundle, target: str, vectors: ParityVectors, slots: int) -> Mapping[str, float]:
    """Seconds of a step and of its reference workloads by name, all loaded again."""
    table = bundle.puzzle_embeddings()
    with ExitStack() as stack:
        backend = stack.enter_context(bundle.backend(target, threads=1))
        calls: dict[str, Callable[[], Any]] = {STEP: repeated_step(backend, table, vectors, slots)}
        clock = time.perf_counter
        if on_cpu(backend):
            clock = time.thread_time
            calls[MATMUL] = matmul(threads=1)
            float32 = float32_backend(bundle, threads=1)
            if float32 is not None:
                active = stack.enter_context(float32)
                calls[FLOAT32] = repeated_step(active, table, vectors, slots)
        return quickest(calls, _REPEAT_SECONDS, _TURN_SECONDS, clock)


def _arrays(seconds: Mapping[str, Sequence[float]]) -> Times:
    return {name: np.array(values) for name, values in seconds.items()}
