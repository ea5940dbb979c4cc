"""Benchmark of a bundle's target: accuracy, latency, throughput, memory and energy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any

import numpy as np

from trm_edge.backends.base import Backend
from trm_edge.bundle import Bundle
from trm_edge.errors import ConfigError
from trm_edge.evaluation import energy
from trm_edge.evaluation.energy import Meter
from trm_edge.evaluation.footprint import footprint
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ParityReport
from trm_edge.evaluation.steps import float32_backend, repeated_step
from trm_edge.evaluation.timing import Ratio, interleaved_calls, mean_by_round, ratio
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent

ROUNDS = 7
SLOTS = (1, 32)
TURN_SECONDS = 0.3
_LARGEST = 1e15  # of any figure
_STREAM_SECONDS = 2.0  # shortest stream that throughput and energy are measured on


@dataclass(frozen=True)
class Latency:
    """Time of one ACT (adaptive computation time) step.

    Args:
        slots: number of slots.
        p50_ms: median in milliseconds.
        p90_ms: 90th percentile in milliseconds.
        p99_ms: 99th percentile in milliseconds.
        times_float32: how many times as fast as the float32 step, timed side by side; None where
            the bundle has no float32 graph.

    Raises:
        ConfigError: a value is out of range.
    """

    slots: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    times_float32: Ratio | None

    def __post_init__(self) -> None:
        times = (self.p50_ms, self.p90_ms, self.p99_ms)
        if self.slots < 1 or not all(0 < ms < _LARGEST for ms in times):
            raise ConfigError(f"latencies must be of 1 slot or more and positive, but got {self}")


@dataclass(frozen=True)
class BenchRow:
    """Measurements of one target of one bundle.

    Args:
        bundle: path of the bundle.
        target: name of the target.
        precision: precision of the target as exported.
        engine: description of what ran the target.
        size_bytes: size of the step graph or engine that ran.
        parity: accuracy on the held-out puzzles, compared with float32.
        latencies: time of a step by number of slots, ascending; at least one.
        puzzles_per_second: throughput of a stream of held-out puzzles, halting adaptive.
        peak_memory_bytes: peak memory of a process that solves one puzzle.
        startup_seconds: time from the start of that process to its answer, median.
        joules_per_puzzle: energy during that stream; None where the device reports none.
        pareto: True where no other row beats this one; set by :func:`mark_pareto`.

    Raises:
        ConfigError: there are no latencies.
    """

    bundle: str
    target: str
    precision: str
    engine: str
    size_bytes: int
    parity: ParityReport
    latencies: tuple[Latency, ...]
    puzzles_per_second: float
    peak_memory_bytes: int
    startup_seconds: float
    joules_per_puzzle: float | None
    pareto: bool = False

    def __post_init__(self) -> None:
        if not self.latencies:
            raise ConfigError("latencies must have at least one entry, but it is empty")
        figures = (
            self.size_bytes,
            self.puzzles_per_second,
            self.peak_memory_bytes,
            self.startup_seconds,
            self.joules_per_puzzle or 0.0,
        )
        if not all(0 <= figure < _LARGEST for figure in figures):
            raise ConfigError(f"the figures of {self.bundle} must not be negative or huge")

    @property
    def exact(self) -> float:
        """Share of puzzles solved with adaptive halting, 0..1, where the answers are known."""
        return self.parity.adaptive.exact_candidate

    @property
    def steps(self) -> float:
        """Mean ACT steps per puzzle."""
        return self.parity.halting.steps_candidate

    @property
    def ms_per_puzzle(self) -> float:
        """Milliseconds per puzzle, one after the other: steps times a step of the fewest slots."""
        fewest_slots = self.latencies[0]
        return self.steps * fewest_slots.p50_ms / fewest_slots.slots


def bench(
    bundle: Bundle,
    target: str | None = None,
    *,
    slots: Sequence[int] = SLOTS,
    puzzles: int | None = None,
    threads: int = 0,
    rounds: int = ROUNDS,
    track: Track = silent,
    find_meter: Callable[[], Meter | None] = energy.find_meter,
) -> BenchRow:
    """Measure one target of a bundle.

    Args:
        bundle: the bundle.
        target: name of the target; by default as in :meth:`Bundle.target`.
        slots: numbers of slots whose steps are timed, ascending.
        puzzles: only the first held-out puzzles, this many; all by default.
        threads: CPU threads; 0: every core.
        rounds: turns of every timed step.
        track: reports progress.
        find_meter: finds the energy meter; replaced in tests.

    Raises:
        ConfigError: ``slots`` is empty.
        BundleError: there is no such target, or the bundle's vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    if not slots:
        raise ConfigError("slots must name at least one number of slots, but it is empty.")
    name, record = bundle.target(target)
    path = str(bundle.path)
    run = solve_held_out(
        bundle, name, puzzles=puzzles, threads=threads, track=track, description=path
    )
    latencies = []
    for count in track(slots, f"{path}: steps", len(slots)):
        backend = bundle.backend(name, threads=threads)
        latencies.append(_latency(bundle, backend, run.reference, count, threads, rounds))
    backend = bundle.backend(name, threads=threads)
    stream = _measure_stream(bundle, backend, run.reference, slots[-1], find_meter())
    cold_start = footprint(bundle.path, name, threads=threads)
    return BenchRow(
        bundle=path,
        target=name,
        precision=record.precision,
        engine=run.engine,
        size_bytes=bundle.size_of(name),
        parity=run.report(),
        latencies=tuple(latencies),
        puzzles_per_second=stream.puzzles_per_second,
        peak_memory_bytes=cold_start.peak,
        startup_seconds=float(np.median(cold_start.seconds)),
        joules_per_puzzle=stream.joules_per_puzzle,
    )


def mark_pareto(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """Mark the rows that no other row beats; those without known answers have no accuracy.

    A row beats another if it is at least as accurate and at least as fast, and better in one. Only
    rows that solved the same puzzles are compared.

    Args:
        rows: any rows.

    Returns:
        The rows in order, ``pareto`` set.
    """
    marked = []
    for row in rows:
        rivals = [rival for rival in rows if same_puzzles(rival, row) and rival.parity.labelled]
        beaten = any(_beats(rival, row) for rival in rivals)
        marked.append(replace(row, pareto=row.parity.labelled and not beaten))
    return marked


def same_puzzles(first: BenchRow, second: BenchRow) -> bool:
    """Tell whether two rows solved the same puzzles, so that their figures can be compared.

    Args:
        first: a row.
        second: another row.
    """
    return first.parity.solved_puzzles == second.parity.solved_puzzles


def _beats(rival: BenchRow, row: BenchRow) -> bool:
    at_least_as_good = rival.exact >= row.exact and rival.ms_per_puzzle <= row.ms_per_puzzle
    better = rival.exact > row.exact or rival.ms_per_puzzle < row.ms_per_puzzle
    return at_least_as_good and better


def _latency(
    bundle: Bundle,
    backend: Backend,
    vectors: ParityVectors,
    slots: int,
    threads: int,
    rounds: int,
) -> Latency:
    table = bundle.puzzle_embeddings()
    with ExitStack() as stack:
        step = repeated_step(stack.enter_context(backend), table, vectors, slots)
        runs: dict[str, Callable[[], Any]] = {"step": step}
        float32 = float32_backend(bundle, threads)
        if float32 is not None:
            runs["float32"] = repeated_step(stack.enter_context(float32), table, vectors, slots)
        calls = interleaved_calls(runs, rounds, TURN_SECONDS)
    milliseconds = 1e3 * np.concatenate(calls["step"])
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99]).tolist()
    times = mean_by_round(calls)
    times_float32 = None
    if "float32" in times:
        times_float32 = ratio(times["float32"], times["step"])
    return Latency(slots, p50, p90, p99, times_float32)


@dataclass(frozen=True)
class _Stream:
    puzzles_per_second: float
    joules_per_puzzle: float | None


def _measure_stream(
    bundle: Bundle, backend: Backend, vectors: ParityVectors, slots: int, meter: Meter | None
) -> _Stream:
    """Solve the held-out puzzles over and over for at least ``_STREAM_SECONDS``."""
    puzzles = vectors.puzzles()
    with Solver(backend, bundle.puzzle_embeddings(), batch=slots) as solver:

        def solve(count: int) -> float:
            """Solve ``count`` puzzles; return the seconds it took."""
            start = time.perf_counter()
            for _ in solver.solve(islice(cycle(puzzles), count)):
                pass
            return time.perf_counter() - start

        warm_up_puzzles = 2 * slots
        seconds_per_puzzle = solve(warm_up_puzzles) / warm_up_puzzles
        count = max(4 * slots, int(_STREAM_SECONDS / seconds_per_puzzle))
        joules: float | None = None
        if meter is None:
            seconds = solve(count)
        else:
            meter.start()
            try:
                seconds = solve(count)
            finally:
                joules = meter.stop()
    joules_per_puzzle = None if joules is None else joules / count
    return _Stream(count / seconds, joules_per_puzzle)
