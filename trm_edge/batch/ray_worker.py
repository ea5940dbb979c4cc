"""A worker of a run with Ray: an actor with an engine of its own."""

from __future__ import annotations

import os
import socket
import time
from typing import Any, ClassVar

import pyarrow as pa
import ray
from ray.exceptions import RayError

from trm_edge.batch.block_solver import BlockSolver
from trm_edge.batch.ray_errors import plain_error
from trm_edge.batch.ray_metrics import WorkerMetrics
from trm_edge.batch.ray_reports import BlockReport, WorkerInfo
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.batch.suspects import SuspectSolver
from trm_edge.batch.worker_plan import WorkerPlan
from trm_edge.bundle import Bundle
from trm_edge.errors import BackendError, ConfigError


class RayWorker:
    """Solves the blocks that Ray hands to it; made by Ray, once in every actor.

    Args:
        options: of the run.
        backend: name of the engine that all workers of the run solve with.
        reports: handle of the actor that collects the reports.

    Raises:
        BackendError: this worker has died again and again without solving anything.
        ConfigError: this machine would solve with another engine.
        TrmEdgeError: the bundle cannot be loaded on this machine.

    Attributes:
        starts: of a worker, after which it is given up if it has solved nothing.
    """

    starts: ClassVar[int] = 20

    def __init__(self, options: SolveOptions, backend: str, reports: Any) -> None:
        self._reports = reports
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._id = ray.get_runtime_context().get_actor_id()
        starts = ray.get(reports.start.remote(self._id))
        if starts > self.starts:
            raise BackendError(
                f"a worker on {socket.gethostname()} has died {starts - 1} times before it had "
                "solved anything. Ray's log files on that machine, in its folder logs under "
                "/tmp/ray, may say of what; too little memory is a frequent reason: pass a smaller "
                "--batch, or fewer --workers."
            )
        self._solver, engine = self.load(options, backend)
        self._suspects = SuspectSolver(
            self._solver.solve, self._begin, self._finish, options.manifest_sha256
        )
        self._metrics = WorkerMetrics(self._name)
        reports.ready.remote(WorkerInfo(self._name, engine))

    def load(self, options: SolveOptions, backend: str) -> tuple[BlockSolver, str]:
        """Load the engine.

        Args:
            options: of the run.
            backend: name that the engine must have.

        Returns:
            The solver, and for people what it solves with and why.

        Raises:
            ConfigError: this machine would solve with another engine.
            TrmEdgeError: the bundle cannot be loaded on this machine.
        """
        choice = Bundle.open(options.bundle).choose(options.target, threads=options.threads)
        if choice.backend.name != backend:
            raise ConfigError(
                f"{socket.gethostname()} would solve with {choice.backend.name}, and the run has "
                f"begun with {backend}, whose answers may differ. Build the engine on every "
                "machine, or on none."
            )
        solver = BlockSolver(options)
        solver.open()
        return solver, f"{choice.backend.describe()}; {choice.reason}"

    def __call__(self, block: pa.Table) -> pa.Table:
        """Solve a block.

        Args:
            block: rows with the columns of ``ROW_SCHEMA``.

        Returns:
            As many rows with the columns of ``ANSWER_SCHEMA``.

        Raises:
            BackendError: the engine fails whatever it is given.
        """
        first_row = int(block["row"][0].as_py())
        self._reports.take_block.remote(first_row)
        start = time.monotonic()
        before = self._solver.work()
        parts = []
        reported = 0
        for answers in self._suspects.solve(block):
            parts.append(answers)
            reported += len(answers)
            self._reports.advance.remote(first_row, reported)
        table = pa.concat_tables(parts)
        work = self._solver.work() - before
        report = BlockReport(
            rows=len(table),
            seconds=time.monotonic() - start,
            slot_steps=work.slot_steps,
            capacity_steps=work.capacity_steps,
        )
        self._reports.finish_block.remote(self._name, first_row, report)
        self._metrics.add(table, report)
        return table

    def _begin(self, first_row: int, rows: int) -> int:
        """Have it written down before the rows can end this process."""
        return int(ray.get(self._reports.begin.remote(first_row, rows)))

    def _finish(self, first_row: int, rows: int) -> None:
        self._reports.finish.remote(self._id, first_row, rows)


def worker_backend(options: SolveOptions, plan: WorkerPlan) -> str:
    """Ask a machine that the workers would run on what solves there.

    Args:
        options: of the run.
        plan: of the workers.

    Returns:
        The name of the engine.

    Raises:
        TrmEdgeError: the bundle cannot be loaded there.
    """
    task = ray.remote(num_cpus=plan.cpus, num_gpus=plan.gpus)(_backend_name)
    try:
        return str(ray.get(task.remote(options)))
    except RayError as error:
        raise plain_error(error) from error


def _backend_name(options: SolveOptions) -> str:
    return Bundle.open(options.bundle).backend(options.target, threads=options.threads).name
