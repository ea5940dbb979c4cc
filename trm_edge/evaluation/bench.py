"""Several bundles side by side: how right, how fast, how big, each against its own float32."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.energy import Meter, find_meter
from trm_edge.evaluation.footprint import footprint
from trm_edge.evaluation.held_out import solve_held_out
from trm_edge.evaluation.parity import ParityReport
from trm_edge.evaluation.steps import float32_backend, repeated_step
from trm_edge.evaluation.timing import Ratio, interleaved, ratio
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent

ROUNDS = 7
SECONDS = 0.3  # of a turn
_LEAST_SECONDS = 2.0  # of the stream that throughput and energy are taken from


@dataclass(frozen=True)
class Latency:
    """One ACT step of so many slots, in milliseconds."""

    slots: int
    p50: float
    p90: float
    p99: float
    times_float32: Ratio | None  # how many times as fast, side by side; None without its graph


@dataclass(frozen=True)
class BenchRow:
    """One target of one bundle."""

    bundle: str
    target: str
    precision: str
    engine: str  # what runs it here
    bytes: int  # of the step graph or the engine that runs
    parity: ParityReport
    latencies: tuple[Latency, ...]
    puzzles_per_second: float  # adaptive halting, a stream of held-out puzzles
    peak_memory: int  # bytes, of a process that solves one puzzle
    startup: float  # seconds, of such a process to its answer
    joules_per_puzzle: float | None
    pareto: bool = field(default=False)  # none is both more right and quicker

    @property
    def exact(self) -> float:
        """Share of the puzzles that are right with adaptive halting, 0..1."""
        return self.parity.modes[1].exact_candidate

    @property
    def steps(self) -> float:
        """ACT steps on average."""
        return self.parity.halting.steps_candidate

    @property
    def ms_per_puzzle(self) -> float:
        """One after the other: steps times the step of the fewest slots."""
        return self.steps * self.latencies[0].p50 / self.latencies[0].slots

    def to_dict(self) -> dict[str, Any]:
        content = asdict(self)
        content["parity"] = self.parity.to_dict()
        return content | {"exact": self.exact, "steps": self.steps}


def bench(
    bundle: Bundle,
    target: str | None = None,
    *,
    slots: Sequence[int] = (1, 32),
    puzzles: int | None = None,
    threads: int = 0,
    rounds: int = ROUNDS,
    track: Track = silent,
    find: Callable[[], Meter | None] = find_meter,
) -> BenchRow:
    """Measure one target of a bundle.

    Args:
        slots: numbers of slots whose steps are timed, ascending.
        puzzles: how many of the bundle's held-out puzzles; all by default.
        threads: of the CPU; 0: every core.
    """
    name, record = bundle.target(target)
    run = solve_held_out(
        bundle, name, puzzles=puzzles, threads=threads, track=track, description=f"{bundle.path}"
    )
    reference = run.reference

    def backend() -> Backend:
        return bundle.backend(name, threads=threads)

    latencies = tuple(
        _latency(bundle, backend(), reference, count, threads, rounds)
        for count in track(slots, f"{bundle.path}: steps", len(slots))
    )
    rate, joules = _stream(bundle, backend(), reference, slots[-1], find())
    cold = footprint(bundle.path, name, threads=threads)
    return BenchRow(
        bundle=str(bundle.path),
        target=name,
        precision=record.precision,
        engine=run.engine,
        bytes=bundle.size_of(name),
        parity=run.report(),
        latencies=latencies,
        puzzles_per_second=rate,
        peak_memory=cold.peak,
        startup=float(np.median(cold.seconds)),
        joules_per_puzzle=joules,
    )


def mark_pareto(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """Mark those of which no other is at least as right and as quick, and better in one."""

    def beaten(row: BenchRow) -> bool:
        mine = (-row.exact, row.ms_per_puzzle)
        others = ((-one.exact, one.ms_per_puzzle) for one in rows)
        return any(one != mine and one[0] <= mine[0] and one[1] <= mine[1] for one in others)

    return [replace(row, pareto=not beaten(row)) for row in rows]


def _latency(
    bundle: Bundle,
    backend: Backend,
    vectors: ParityVectors,
    slots: int,
    threads: int,
    rounds: int,
) -> Latency:
    table = bundle.puzzle_embeddings()
    calls: list[float] = []

    with ExitStack() as stack:
        step = repeated_step(stack.enter_context(backend), table, vectors, slots)

        def timed() -> None:
            began = time.perf_counter()
            step()
            calls.append(time.perf_counter() - began)

        runs: dict[str, Callable[[], Any]] = {"step": timed}
        plain = float32_backend(bundle, threads)
        if plain is not None:
            runs["float32"] = repeated_step(stack.enter_context(plain), table, vectors, slots)
        times = interleaved(runs, rounds, SECONDS)
    against: NDArray[np.float64] | None = times.get("float32")
    p50, p90, p99 = (1e3 * float(q) for q in np.percentile(calls[2:], [50, 90, 99]))
    return Latency(slots, p50, p90, p99, None if against is None else ratio(against, times["step"]))


def _stream(
    bundle: Bundle, backend: Backend, vectors: ParityVectors, slots: int, meter: Meter | None
) -> tuple[float, float | None]:
    """Puzzles a second, and joules a puzzle, of a stream that lasts some seconds."""
    puzzles = vectors.puzzles()
    with Solver(backend, bundle.puzzle_embeddings(), batch=slots) as solver:
        warm = islice(cycle(puzzles), 2 * slots)
        began = time.perf_counter()
        done = sum(1 for _ in solver.solve(warm))
        each = (time.perf_counter() - began) / done
        count = max(4 * slots, int(_LEAST_SECONDS / each))
        if meter is not None:
            meter.start()
        began = time.perf_counter()
        done = sum(1 for _ in solver.solve(islice(cycle(puzzles), count)))
        seconds = time.perf_counter() - began
        joules = None if meter is None else meter.stop()
    return done / seconds, None if joules is None else joules / done
