"""A replica: a process on a Ray cluster with an engine and a halting loop of its own."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass

from trm_edge.errors import BackendError
from trm_edge.serve.replica_options import ReplicaOptions
from trm_edge.serve.replies import Health, ServedBundle
from trm_edge.serve.reply import Reply, reply_to


@dataclass(frozen=True)
class ReplicaState:
    """How a replica is.

    Args:
        name: of its machine and process.
        health: of its service.
    """

    name: str
    health: Health


class Replica:
    """Solves the requests that Ray Serve hands to it; made by Ray, once in every process.

    Args:
        options: the same for all replicas.

    Raises:
        TrmEdgeError: this machine has another bundle, version or engine, or cannot load it.
    """

    def __init__(self, options: ReplicaOptions) -> None:
        self._name = replica_name()
        self._service = options.open()

    async def solve(self, body: bytes, waited: float) -> Reply:
        """Solve the puzzles of a request. Where this is cancelled, the request is forgotten.

        Args:
            body: JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
            waited: seconds since the request arrived.
        """
        return await reply_to(self._service.solve(body, time.monotonic() - waited))

    async def state(self) -> ReplicaState:
        """Return how it is."""
        return ReplicaState(self._name, self._service.health())

    async def metrics(self) -> tuple[str, str]:
        """Return its name, and its metrics in Prometheus's text format."""
        return self._name, (await self._service.metrics_text()).decode()

    def check_health(self) -> None:
        """Tell Ray Serve, which replaces a replica after a few failures.

        Raises:
            BackendError: nothing is solved any more.
        """
        status = self._service.status
        if status in ("failed", "stalled"):
            raise BackendError(f"the engine has {status}.")

    def __del__(self) -> None:
        service = getattr(self, "_service", None)
        if service is not None:
            service.__exit__(None, None, None)


def replica_name() -> str:
    """Name this process, as the metrics and the log do."""
    return f"{socket.gethostname()}:{os.getpid()}"


def describe_replica(options: ReplicaOptions) -> ServedBundle:
    """Describe what a replica would serve on this machine.

    Args:
        options: of all replicas.

    Raises:
        TrmEdgeError: this machine has another bundle or version, or cannot load the engine.
    """
    service = options.open()
    try:
        return service.description()
    finally:
        service.__exit__(None, None, None)
