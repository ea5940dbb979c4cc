"""A run with Ray: Ray Data reads, hands out blocks, writes, and repeats what was lost."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.exceptions import RayError, UserCodeException
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trm_edge.batch.answer_buffer import checked_buffer
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import COMPRESSION, OutputFolder
from trm_edge.batch.pending_parts import marks_folder, remove_unfinished_parts
from trm_edge.batch.pieces import FIRST_ROWS
from trm_edge.batch.ray_checkpoint import PartNames, checkpoint_config
from trm_edge.batch.ray_errors import MOST_ERRORS, LostBlocks, plain_error
from trm_edge.batch.ray_reports import ReportCollector, Reporter, Reports
from trm_edge.batch.ray_source import RowDatasource, block_bytes
from trm_edge.batch.ray_worker import RayWorker
from trm_edge.batch.retry import FailedRows
from trm_edge.batch.run import RunResult
from trm_edge.batch.solve_options import SolveOptions
from trm_edge.batch.source import RowSource
from trm_edge.batch.worker_plan import IO_CPUS, WorkerPlan, block_rows
from trm_edge.progress import Metered, Track, silent

_IN_FLIGHT = 2  # blocks that wait at a worker, so that none waits for the driver
_UNSPLIT = 1  # what a read task returns is cut by its bytes alone
_WORKERS_PER_IO_TASK = 8


@dataclass(frozen=True)
class RayResult:
    """Where a run with Ray stopped.

    Args:
        result: as of a run in one process.
        reports: of the workers.
    """

    result: RunResult
    reports: Reports


class RayRun:
    """Solves the rows of a source that a folder does not have yet, on a Ray cluster.

    Args:
        source: of the rows; its files lie under the same paths on every machine.
        folder: begun with their fingerprint, and locked; on every machine under the same path.
        options: of the workers.
        plan: how many workers there are.
        backend: name of the engine that the workers solve with.
        track: reports the rows.
        worker: class of the workers, with the parameters of ``RayWorker``.
        block: rows of a block; None: as many as keep its tail short.
    """

    def __init__(
        self,
        source: RowSource,
        folder: OutputFolder,
        options: SolveOptions,
        plan: WorkerPlan,
        backend: str,
        track: Track = silent,
        *,
        worker: type = RayWorker,
        block: int | None = None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._options = replace(options, threads=plan.threads)
        self._plan = plan
        self._backend = backend
        self._track = track
        self._worker = worker
        self._block = block
        # Each is a process of its own, and one reads or writes for many workers.
        self._io_tasks = 1 + plan.count // _WORKERS_PER_IO_TASK
        self._reporter = Reporter(_collector())

    def solve(self, *, retry_failed: bool = False) -> RayResult:
        """Solve what is left.

        Args:
            retry_failed: solve the rows again that failed before this call, first.

        Raises:
            TrmEdgeError: the input cannot be read, the engine fails on everything, or a part cannot
                be read or written. What was solved before is written.
        """
        finished = FinishedRows.read(self._folder, self._track)
        before = len(finished.rows)
        start = time.monotonic()
        retried = 0
        with self._reporter.running():
            if retry_failed and len(finished.failed):
                retried = self._retry(finished)
            total = self._source.count()
            if total is None or total > before:
                self._solve_rest(finished, total)
        seconds = time.monotonic() - start
        remove_unfinished_parts(self._folder.path)
        shutil.rmtree(marks_folder(self._folder.path), ignore_errors=True)
        finished = FinishedRows.read(self._folder, self._track)
        solved = len(finished.rows) - before + retried
        return RayResult(RunResult(finished.tally, solved, seconds), self._reporter.reports)

    def _solve_rest(self, finished: FinishedRows, total: int | None) -> None:
        if total is not None:
            total -= len(finished.rows)
        rows = self._block or block_rows(
            self._options.slots, self._options.halting.max_steps, self._plan.count, total
        )
        dataset = self._solved(self._dataset(rows))
        self._show("solved", total, lambda: self._write(dataset))

    def _retry(self, finished: FinishedRows) -> int:
        """Solve failed rows again, in small blocks: one of them may end its worker each time."""
        answered = 0

        def replace_rows() -> None:
            nonlocal answered
            retried = checked_buffer(self._source, FailedRows(self._folder, finished).replace)
            dataset = self._solved(self._dataset(FIRST_ROWS, finished.failed))
            with retried.flushed(), _plain_errors():
                for answers in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                    retried.add(answers)
                    answered += len(answers)

        self._show("retried", len(finished.failed), replace_rows)
        return answered

    def _dataset(self, rows: int, chosen: NDArray[np.int64] | None = None) -> Dataset:
        """The rows in blocks; without a choice of rows, those that no part holds."""
        context = DataContext.get_current()
        context.enable_progress_bars = False  # ours say how long it still takes
        context.target_max_block_size = block_bytes(self._source, rows)
        context.max_errored_blocks = MOST_ERRORS
        context.checkpoint_config = None
        if chosen is None:
            context.checkpoint_config = checkpoint_config(self._folder)
        dataset: Dataset = ray.data.read_datasource(
            RowDatasource(self._source, chosen),
            num_cpus=IO_CPUS,
            override_num_blocks=_UNSPLIT,
            concurrency=self._io_tasks,
        )
        return dataset

    def _solved(self, dataset: Dataset) -> Dataset:
        with warnings.catch_warnings():
            # Restarts and retries have no other way in yet; the extra ends before they lose it.
            warnings.simplefilter("ignore", DeprecationWarning)
            return self._mapped(dataset)

    def _mapped(self, dataset: Dataset) -> Dataset:
        return dataset.map_batches(
            self._worker,
            fn_constructor_args=(self._options, self._backend, self._reporter.collector),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ActorPoolStrategy(
                size=self._plan.count, max_tasks_in_flight_per_actor=_IN_FLIGHT
            ),
            num_cpus=self._plan.cpus,
            num_gpus=self._plan.gpus or None,
            max_restarts=-1,
            max_task_retries=-1,  # the worker itself gives up what ends it; see SuspectSolver
        )

    def _write(self, dataset: Dataset) -> None:
        with _plain_errors():
            dataset.write_parquet(
                str(self._folder.path.resolve()),
                filename_provider=PartNames(),
                compression=COMPRESSION,
                ray_remote_args={"num_cpus": IO_CPUS},
                concurrency=self._io_tasks,
            )

    def _show(self, description: str, total: int | None, work: Callable[[], None]) -> None:
        """Do a piece of work, and show the rows that the workers report meanwhile."""
        before = self._reporter.reports.done

        def steps() -> Iterator[None]:
            work()
            yield

        metered = Metered(
            steps(), "puzzles", lambda: self._reporter.reports.done - before, shows_rate=True
        )
        for _ in self._track(metered, description, total):
            pass


def _collector() -> Any:
    """Start the collector on the driver's machine, without which the run ends anyway."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = ray.remote(ReportCollector)
    options = actor.options(
        num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here
    )
    return options.remote()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn errors of Ray, and of blocks that it left out, into ours until the block ends."""
    lost = LostBlocks()
    try:
        with lost.collected():
            yield
    except (RayError, UserCodeException, OSError) as error:
        raise plain_error(error) from error
    if lost.errors:
        raise plain_error(lost.errors[0])
