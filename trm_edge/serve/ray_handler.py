"""Hands requests to replicas on a Ray cluster."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from prometheus_client import CollectorRegistry
from ray.exceptions import RayActorError, RayError
from ray.serve.exceptions import DeploymentUnavailableError

from trm_edge.serve.limits import Limits
from trm_edge.serve.ray_replica import ReplicaState
from trm_edge.serve.refusals import EngineFailedError, NotReadyError, TooLateError
from trm_edge.serve.replica_metrics import merge_metrics
from trm_edge.serve.replica_watch import ReplicaWatch
from trm_edge.serve.replies import Health, ServedBundle, Status
from trm_edge.serve.reply import Reply
from trm_edge.serve.request_metrics import RequestMetrics
from trm_edge.serve.request_queue import STOPPING

logger = logging.getLogger(__name__)

_STATE_SECONDS = 5.0  # that the replicas may take to say how they are
_METRICS_SECONDS = 5.0
_TRIES = 3  # at a request that a replica refuses because it stops, or its engine has failed
_LOST = (
    "the replica that had the request has died, and Ray starts another one. Send the request again."
)


class RayHandler:
    """The replicas of an application of Ray Serve, behind the routes of a server.

    A context manager. Ray Serve chooses the replica of a request: of two, the one that has fewer.

    Args:
        handle: Ray Serve's, of a deployment of :class:`~trm_edge.serve.ray_replica.Replica`.
        served: what each replica serves.
        document: OpenAPI, as JSON.
        limits: of each replica.
        count: replicas that should run.
    """

    def __init__(
        self, handle: Any, served: ServedBundle, document: str, limits: Limits, count: int
    ) -> None:
        self.limits = limits
        self._handle = handle
        self._served = served
        self._document = document
        self._count = count
        self._watch = ReplicaWatch(self._ask_states, count)
        self._registry = CollectorRegistry()
        self._requests = RequestMetrics(self._registry)
        self._open: set[asyncio.Future[Reply]] = set()
        self._is_stopping = False
        self._is_broken_off = False

    def __enter__(self) -> RayHandler:
        self._watch.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.__exit__(error_type, error, trace)

    @property
    def status(self) -> Status:
        """Whether requests are solved."""
        return self.health().status

    @property
    def most_requests(self) -> int:
        """Requests that may be here at once, since each has a puzzle or more."""
        return self._count * (self.limits.queue + self._served.slots)

    @property
    def is_drained(self) -> bool:
        """Whether the handler was stopped, and nothing is left to be solved."""
        return self._is_stopping and not self._open

    def health(self) -> Health:
        """Return the status, and how much there is to do in all replicas, about a second ago."""
        health = self._watch.health()
        if self._is_stopping:
            return replace(health, status="stopping")
        return health

    def description(self) -> ServedBundle:
        """Describe the bundle and the limits; slots and waiting puzzles are those of all."""
        return replace(
            self._served,
            replicas=self._count,
            slots=self._count * self._served.slots,
            max_waiting=self._count * self._served.max_waiting,
        )

    def openapi(self) -> str:
        """Return the OpenAPI document, as JSON."""
        return self._document

    async def solve(self, body: bytes, arrived: float) -> Reply:
        """Let a replica solve the puzzles of a request. Where this is cancelled, it forgets them.

        Args:
            body: JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
            arrived: when the request did, by time.monotonic().

        Raises:
            NotReadyError: the server is stopping, or the replica has died.
            TooLateError: no replica has replied in time.
            EngineFailedError: Ray could not hand the request over.
        """
        if self._is_stopping:
            raise NotReadyError(STOPPING, retry_after=1)
        asking = asyncio.ensure_future(self._ask(body, arrived))
        self._open.add(asking)
        try:
            return await asking
        except asyncio.CancelledError:
            if self._is_broken_off:
                raise NotReadyError(STOPPING, retry_after=1) from None
            raise
        finally:
            self._open.discard(asking)
            asking.cancel()

    def count_reply(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: of the reply.
            seconds: since the request arrived.
        """
        self._requests.count(status, seconds)

    async def metrics_text(self) -> bytes:
        """Write the metrics in Prometheus's text format, those of replicas with their names."""
        try:
            results = await self._handle.broadcast("metrics").results_async(
                timeout_s=_METRICS_SECONDS, return_exceptions=True
            )
        except (DeploymentUnavailableError, TimeoutError):
            results = []
        texts = {}
        for result in results:
            if not isinstance(result, BaseException):
                name, text = result
                texts[name] = text
        return merge_metrics(self._registry, texts)

    def stop(self) -> None:
        """Take no more requests; those that are there are still solved."""
        self._is_stopping = True

    def break_off(self) -> int:
        """End the requests that are there without an answer.

        Returns:
            Number of the requests.
        """
        self._is_stopping = True
        self._is_broken_off = True
        asking = list(self._open)
        for request in asking:
            request.cancel()
        return len(asking)

    async def _ask(self, body: bytes, arrived: float) -> Reply:
        """Ask a replica, and another one where the first is not ready: it has begun nothing."""
        reply = await self._ask_once(body, arrived)
        for _ in range(1, _TRIES):
            if reply.status != NotReadyError.status:
                break
            reply = await self._ask_once(body, arrived)
        return reply

    async def _ask_once(self, body: bytes, arrived: float) -> Reply:
        # A replica keeps to the deadline; this is for one that does not reply at all.
        seconds = arrived + 2 * self.limits.seconds - time.monotonic()
        response = self._handle.solve.remote(body, time.monotonic() - arrived)
        try:
            reply: Reply = await asyncio.wait_for(_result(response), max(0.0, seconds))
        except asyncio.TimeoutError as error:
            response.cancel()
            raise TooLateError("the time was up, and no replica had replied.") from error
        except asyncio.CancelledError:
            response.cancel()
            raise
        except (RayActorError, DeploymentUnavailableError) as error:
            logger.warning("a request was lost: its replica has died")
            raise NotReadyError(_LOST, retry_after=1) from error
        except RayError as error:
            logger.exception("a replica failed with a request")
            raise EngineFailedError("the replica failed; the server's log says why.") from error
        return reply

    def _ask_states(self) -> Sequence[ReplicaState]:
        try:
            results = self._handle.broadcast("state").results(
                timeout_s=_STATE_SECONDS, return_exceptions=True
            )
        except DeploymentUnavailableError:
            return ()
        return [result for result in results if isinstance(result, ReplicaState)]


async def _result(response: Any) -> Any:
    return await response
