"""Runs of ``trm-edge solve -o NAME.parquet`` in a process of their own, with what they took."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from statistics import mean
from typing import TypeVar

import pyarrow as pa
import pyarrow.dataset as pads

from lib.null_backend import NullBackend
from lib.use_samples import UseSample, UseSampler
from trm_edge.backends.choice import Choice
from trm_edge.batch.block_solver import BlockSolver
from trm_edge.batch.open_source import open_source
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.ray_cluster import cluster_nodes, ray_cluster
from trm_edge.batch.ray_run import RayRun
from trm_edge.batch.ray_worker import RayWorker
from trm_edge.batch.run import Run
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.batch.solve_to_parquet import begin_run
from trm_edge.batch.worker_plan import plan_workers
from trm_edge.bundle import Bundle
from trm_edge.cli.search_options import SearchOptions
from trm_edge.loop.halting import HaltingRule
from trm_edge.progress import Metered, Track, progress_bars

T = TypeVar("T")

ANSWER_COLUMNS = ("row", "answer", "valid", "steps", "outcome")
_STAMPS = "TRM_EDGE_BENCHMARK_STAMPS"  # folder to which workers write when they begin


@dataclass(frozen=True)
class BatchRun:
    """A run to measure.

    Args:
        bundle: its folder.
        source: the puzzles, as Parquet.
        rows: number of puzzles.
        workers: with Ray; 0: one process without it.
        slots: of each engine.
        is_null: the engine computes nothing.
        interval: seconds between two samples of memory and CPU time.
        processes: without Ray, that solve these rows at once, each for itself.
    """

    bundle: Path
    source: Path
    rows: int
    workers: int
    slots: int
    is_null: bool = False
    interval: float = 1.0
    processes: int = 1


@dataclass(frozen=True)
class RunCost:
    """What a run took; of several processes at once, what the slowest took.

    Args:
        start_seconds: from its launch until the first block is begun: imports, Ray, engines.
        solve_seconds: from there until the last part is written.
        stop_seconds: from there until Ray has ended.
        occupancy: share of the slots that held a puzzle.
        answers: sha256 of the answers.
        samples: of memory and CPU time.
    """

    start_seconds: float
    solve_seconds: float
    stop_seconds: float
    occupancy: float
    answers: str
    samples: list[UseSample]


def measure(run: BatchRun, folder: Path) -> RunCost:
    """Carry out a run in new processes, as commands would, and wait for them.

    Args:
        run: to measure.
        folder: empty, for the answers.

    Raises:
        TrmEdgeError: it fails.
    """
    with ProcessPoolExecutor(run.processes, mp_context=get_context("spawn")) as pool:
        futures = []
        for number in range(run.processes):
            own_folder = folder / str(number)
            own_folder.mkdir()
            futures.append(pool.submit(_carry_out, run, own_folder, time.time()))
        costs = [future.result() for future in futures]
    return RunCost(
        start_seconds=max(cost.start_seconds for cost in costs),
        solve_seconds=max(cost.solve_seconds for cost in costs),
        stop_seconds=max(cost.stop_seconds for cost in costs),
        occupancy=mean(cost.occupancy for cost in costs),
        answers=costs[0].answers,
        samples=costs[0].samples,
    )


class TimedWorker(RayWorker):
    """A worker that writes down when it begins its first block."""

    def __call__(self, block: pa.Table) -> pa.Table:
        """Solve a block.

        Args:
            block: rows with the columns of ``ROW_SCHEMA``.
        """
        _write_stamp(Path(os.environ[_STAMPS]))
        return super().__call__(block)


class NullWorker(TimedWorker):
    """A worker whose engine computes nothing."""

    def load(self, options: SolveOptions, backend: str) -> tuple[BlockSolver, str]:
        """Load nothing.

        Args:
            options: of the run.
            backend: name of the engine.
        """
        _use_null_engine()
        return super().load(options, backend)


def _carry_out(run: BatchRun, folder: Path, launched: float) -> RunCost:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    stamps = folder / "stamps"
    stamps.mkdir()
    os.environ[_STAMPS] = str(stamps)
    if run.is_null:
        _use_null_engine()
    output = OutputFolder(folder / "answers.parquet")
    with progress_bars() as track, output.locked():
        rows = _RowCounter(track)
        sampler = UseSampler(rows.solved, lambda: set(_read_stamps(stamps)), run.interval)
        solve = _solve_with_ray if run.workers else _solve_in_process
        occupancy = solve(run, output, rows.track, sampler, stamps)
    ended = time.time()
    began = min(_read_stamps(stamps).values())
    written = max(part.stat().st_mtime for part in output.parts())
    return RunCost(
        start_seconds=began - launched,
        solve_seconds=written - began,
        stop_seconds=ended - written,
        occupancy=occupancy,
        answers=_digest(output, run.rows),
        samples=sampler.samples,
    )


def _end_with_parent() -> None:
    """End this process, and with it the Ray that it has started, once its parent has ended."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _solve_in_process(
    run: BatchRun, output: OutputFolder, track: Track, sampler: UseSampler, stamps: Path
) -> float:
    bundle, options = _options(run)
    source = open_source(bundle.task(), run.source)
    begin_run(bundle, source, output, options, bundle.backend().name, track)
    with BlockSolver(options) as solver:
        _write_stamp(stamps)
        with sampler.running():
            Run(source, output, solver, track).solve()
        work = solver.work()
    return work.slot_steps / work.capacity_steps


def _solve_with_ray(
    run: BatchRun, output: OutputFolder, track: Track, sampler: UseSampler, stamps: Path
) -> float:
    bundle, options = _options(run)
    source = open_source(bundle.task(), run.source)
    backend = bundle.backend().name
    with ray_cluster():
        plan = plan_workers(cluster_nodes(), run.workers, options.threads)
        begin_run(bundle, source, output, options, backend, track)
        worker = NullWorker if run.is_null else TimedWorker
        ray_run = RayRun(source, output, options, plan, backend, track, worker=worker)
        with sampler.running():
            solved = ray_run.solve()
    return solved.reports.occupancy or 0.0


def _options(run: BatchRun) -> tuple[Bundle, SolveOptions]:
    """The options of ``trm-edge solve``, with one thread for each engine."""
    bundle = Bundle.open(run.bundle.resolve())
    halting = HaltingRule.from_config(bundle.config)
    options = SolveOptions.of(
        bundle, None, halting=halting, search=SearchOptions.one_try(), slots=run.slots, threads=1
    )
    return bundle, options


def _use_null_engine() -> None:
    """Let every bundle of this process have an engine that computes nothing."""

    def choose(self: Bundle, *_: object, **__: object) -> Choice:
        return Choice(NullBackend(self.config), "it computes nothing")

    Bundle.choose = choose  # type: ignore[method-assign]


class _RowCounter:
    """Looks at the progress of a run.

    Args:
        track: shows it.
    """

    def __init__(self, track: Track) -> None:
        self._track = track
        self._done: Callable[[], float] = lambda: 0

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
        """Pass the items on, as every ``Track`` does.

        Args:
            items: the work.
            description: of it.
            total: number of items.
        """
        if isinstance(items, Metered) and items.unit == "puzzles" and items.done is not None:
            self._done = items.done
        return self._track(items, description, total)

    def solved(self) -> int:
        """Return how many rows are solved."""
        return int(self._done())


def _write_stamp(folder: Path) -> None:
    """Write down when this process began to solve, once."""
    path = folder / str(os.getpid())
    if not path.exists():
        path.write_text(repr(time.time()))


def _read_stamps(folder: Path) -> dict[int, float]:
    """When each process began to solve, by process id."""
    stamps = {}
    for path in folder.iterdir():
        text = path.read_text()
        if text:
            stamps[int(path.name)] = float(text)
    return stamps


def _digest(output: OutputFolder, rows: int) -> str:
    """Hash the answers in the order of their rows, and make sure that each is there once."""
    table = pads.dataset(output.path, format="parquet").to_table(columns=list(ANSWER_COLUMNS))
    table = table.sort_by("row")
    if table["row"].to_pylist() != list(range(rows)):
        raise RuntimeError(f"{output.path} does not hold each of {rows:,} rows once.")
    digest = hashlib.sha256()
    for name in ANSWER_COLUMNS:
        digest.update(repr(table[name].to_pylist()).encode())
    return digest.hexdigest()
