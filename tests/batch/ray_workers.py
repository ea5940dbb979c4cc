"""A worker for Ray with a model that computes nothing, and a program whose run can be killed.

python -m tests.batch.ray_workers ADDRESS INPUT OUTPUT
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from tests.batch.runs import MAKER, SETTINGS, TASK, PoisonBackend
from trm_edge.backends.fake import FAKE_CONFIG
from trm_edge.batch.block_loop import BlockLoop
from trm_edge.batch.block_solver import BlockSolver, Work
from trm_edge.batch.open_source import open_source
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.ray_cluster import ray_cluster
from trm_edge.batch.ray_run import RayResult, RayRun
from trm_edge.batch.ray_worker import RayWorker
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.batch.worker_plan import WorkerPlan
from trm_edge.cli.search_options import SearchOptions
from trm_edge.errors import BackendError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver

KILLER = f"88{'.' * 79}"  # ends the process that solves it, where there is no file SPARE
SPARE = "spare"
STOP = "stop"  # file there: first row on which, and on all after it, the engine fails
BLOCK = 20
PLAN = WorkerPlan(count=2, gpus=0, threads=1, cpus=0.5)
STILLBORN = "stillborn"  # file there: workers die while they start
PIDS = "pids"  # file beside the input: a line for every worker that began
SLOWLY = "slowly"  # file there: seconds that every block takes


class FakeSolver:
    """Does what a ``BlockSolver`` does, with a model that computes nothing."""

    def __init__(self, options: SolveOptions) -> None:
        self._folder = options.bundle
        self._solver = Solver(PoisonBackend(), batch=8)
        self._solver.__enter__()

    def solve(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Solve blocks, slowly where the folder says so."""
        slowly = self._folder / SLOWLY
        stop = self._folder / STOP
        for block in blocks:
            if stop.exists() and block["row"][0].as_py() >= int(stop.read_text()):
                raise BackendError("the engine is gone.")
            if KILLER in block["puzzle"].to_pylist() and not (self._folder / SPARE).exists():
                os.kill(os.getpid(), signal.SIGKILL)
            if slowly.exists():
                time.sleep(float(slowly.read_text()))
            yield from BlockLoop(self._solver, MAKER).solve([block])

    def work(self) -> Work:
        """Return the steps so far."""
        return Work(self._solver.slot_steps, self._solver.capacity_steps)


class FakeWorker(RayWorker):
    """A worker without a bundle."""

    starts = 12

    def load(self, options: SolveOptions, backend: str) -> tuple[BlockSolver, str]:
        """Write the process down, for whoever kills it."""
        if (options.bundle / STILLBORN).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        with (options.bundle / PIDS).open("a") as file:
            file.write(f"{os.getpid()}\n")
        return cast(BlockSolver, FakeSolver(options)), f"{backend}; it computes nothing"


def options_in(folder: Path) -> SolveOptions:
    """Options whose bundle is only a folder for the files above."""
    return SolveOptions(
        bundle=folder,
        manifest_sha256=MAKER.bundle,
        target=None,
        halting=HaltingRule.from_config(FAKE_CONFIG),
        search=SearchOptions.one_try(),
        slots=8,
    )


def run_with_ray(
    output: Path,
    source: Path,
    *,
    block: int = BLOCK,
    plan: WorkerPlan = PLAN,
    retry_failed: bool = False,
    before: Callable[[], None] = lambda: None,
) -> RayResult:
    """Solve what is left of an input on the cluster that this process has joined.

    ``before`` is called once the input is hashed.
    """
    folder = OutputFolder(output)
    with folder.locked():
        if not folder.check_same(SETTINGS):
            folder.begin(SETTINGS)
        rows = open_source(TASK, source)
        rows.sha256()
        before()
        run = RayRun(
            rows,
            folder,
            options_in(source.parent),
            plan,
            "fake",
            worker=cast(Any, FakeWorker),
            block=block,
        )
        return run.solve(retry_failed=retry_failed)


if __name__ == "__main__":
    with ray_cluster(sys.argv[1]):
        run_with_ray(Path(sys.argv[3]), Path(sys.argv[2]))
