"""The service behind the routes: one bundle, one solver, one queue."""

from __future__ import annotations

import hashlib
import logging
from types import TracebackType

from starlette.concurrency import run_in_threadpool

from trm_edge import __version__
from trm_edge.backends.base import Backend
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.answers import AnswerPolicy, judge_answers
from trm_edge.errors import BackendError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.serve.limits import Limits
from trm_edge.serve.metrics import Metrics
from trm_edge.serve.openapi import openapi_document
from trm_edge.serve.refusals import NotReadyError
from trm_edge.serve.replies import AnswerList, Health, ServedBundle, Status
from trm_edge.serve.reply import Reply
from trm_edge.serve.request_queue import STOPPING, RequestQueue
from trm_edge.serve.solve_body import solve_body
from trm_edge.serve.solve_request import RequestReader
from trm_edge.serve.solver_thread import SolverThread
from trm_edge.serve.ticket import Ticket
from trm_edge.tasks.base import Entry

logger = logging.getLogger(__name__)

_LAST_STEP_SECONDS = 10  # of a step that is under way when the loop is ended


class Service:
    """A bundle whose solver serves the requests of everybody.

    A context manager: the engine is loaded on entry and freed on exit.

    Args:
        bundle: an opened bundle.
        target: of the bundle; by default ``cpu``, or the only one.
        slots: puzzles that are worked on at once.
        threads: of the CPU; 0: every core.
        max_steps: steps that a request may ask for; the model's own by default.
        limits: what is taken on before requests are refused.
        backend: runs the target; by default what the bundle chooses on this machine.

    Raises:
        BundleError: there is no such target.
        EngineError: the target has an engine that does not fit this machine.
        ConfigError: the number of slots, steps or threads is not positive or too large.
    """

    def __init__(
        self,
        bundle: Bundle,
        target: str | None = None,
        *,
        slots: int = 32,
        threads: int = 0,
        max_steps: int | None = None,
        limits: Limits | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.task = bundle.task()
        self.metrics = Metrics()
        self.queue = RequestQueue(self.limits.queue, self.metrics.observe_wait)
        self.halting = HaltingRule.from_config(bundle.config, max_steps=max_steps)
        self._target, self._record = bundle.target(target)
        self._bundle = bundle
        self._solver = Solver(
            backend or bundle.backend(target, threads=threads),
            bundle.puzzle_embeddings(),
            halting=self.halting,
            batch=slots,
            deadline=self.limits.seconds,
        )
        self._thread = SolverThread(self._solver, self.queue)
        self._is_stopping = False
        manifest = (bundle.path / MANIFEST).read_bytes()
        self._manifest_sha256 = hashlib.sha256(manifest).hexdigest()
        self.metrics.watch(self)

    def __enter__(self) -> Service:
        self._thread.start()
        self.reader = RequestReader(
            self.task, self.halting, self.limits, _noise_problem(self._solver.backend)
        )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.break_off()
        if not self._thread.join(_LAST_STEP_SECONDS):
            logger.warning(
                "a step has not ended within %d s; the engine is left as it is", _LAST_STEP_SECONDS
            )

    @property
    def status(self) -> Status:
        """Whether requests are solved."""
        if self._thread.error is not None:
            return "failed"
        if self.queue.has_stalled(self.limits.seconds):
            return "stalled"
        if self._is_stopping or self._thread.has_ended:
            return "stopping"
        return "ready"

    @property
    def is_drained(self) -> bool:
        """Whether the service was stopped, and nothing is left to be solved."""
        return self._is_stopping and (self._thread.has_ended or not self.queue.open_requests)

    @property
    def slots(self) -> int:
        """Puzzles that are worked on at once."""
        return self._solver.batch

    @property
    def most_requests(self) -> int:
        """Requests that may be here at once, since each has a puzzle or more."""
        return self.limits.queue + self.slots

    @property
    def slot_steps(self) -> int:
        """Steps since the start, summed over slots."""
        return self._solver.slot_steps

    def health(self) -> Health:
        """Return the status, and how much there is to do."""
        return Health(self.status, self.queue.waiting, self.queue.in_flight)

    def openapi(self) -> str:
        """Return the OpenAPI document, as JSON."""
        return openapi_document(self.limits, self.task.config, self.halting)

    async def solve(self, body: bytes, arrived: float) -> Reply:
        """Solve the puzzles of a request. Where this is cancelled, the request is forgotten.

        Args:
            body: JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
            arrived: when the request did, by time.monotonic().

        Raises:
            RequestError: the request is refused, or has failed.
        """
        return await solve_body(self, body, arrived)

    def count_reply(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: of the reply.
            seconds: since the request arrived.
        """
        self.metrics.requests.count(status, seconds)

    async def metrics_text(self) -> bytes:
        """Write the metrics in Prometheus's text format."""
        return await run_in_threadpool(self.metrics.encode)

    def stop(self) -> None:
        """Take no more requests; those that are there are still solved."""
        self._is_stopping = True
        self.queue.close()

    def break_off(self) -> int:
        """End the requests that are there without an answer, and the loop after its step.

        Returns:
            Number of the requests.
        """
        self._is_stopping = True
        broken_off = self.queue.open_requests
        self.queue.fail(NotReadyError(STOPPING, retry_after=1), STOPPING)
        self._thread.cancel()
        return broken_off

    def answers(
        self, ticket: Ticket, solutions: list[Solution], policy: AnswerPolicy
    ) -> AnswerList:
        """Judge the solutions of a request.

        Args:
            ticket: of the request.
            solutions: in the order of its puzzles.
            policy: which answers are given.
        """
        entries = []
        for puzzle, solution in zip(ticket.puzzles, solutions, strict=True):
            entries.append(Entry(puzzle, solution.index + 1))
        judged = judge_answers(self.task, entries, solutions, policy)
        return AnswerList(tuple(answer.record for answer in judged))

    def description(self) -> ServedBundle:
        """Describe the bundle and the limits."""
        config = self._bundle.config
        return ServedBundle(
            bundle=self._bundle.path.resolve().name,
            manifest_sha256=self._manifest_sha256,
            version=__version__,
            task=self.task.name,
            target=self._target,
            precision=self._record.precision,
            engine=self._solver.backend.describe(),
            halting=str(self.halting),
            max_steps=self.halting.max_steps,
            cells=config.seq_len,
            tokens=config.vocab_size,
            identifiers=config.num_puzzle_identifiers,
            slots=self._solver.batch,
            max_waiting=self.limits.queue,
            max_puzzles=self.limits.puzzles,
            max_body_bytes=self.limits.body_bytes,
            max_seconds=self.limits.seconds,
            max_rollouts=self.limits.rollouts,
        )


def _noise_problem(backend: Backend) -> str | None:
    """Why a loaded backend cannot solve with noise or from another start; None: it can."""
    try:
        backend.initial_states()
    except BackendError as error:
        return str(error)
    return None
