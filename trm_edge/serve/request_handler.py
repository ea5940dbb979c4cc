"""What the routes of a server call: a service in this process, or replicas on a Ray cluster."""

from __future__ import annotations

from typing import Protocol

from trm_edge.serve.limits import Limits
from trm_edge.serve.replies import Health, ServedBundle, Status
from trm_edge.serve.reply import Reply


class RequestHandler(Protocol):
    """Solves the bodies of requests, and tells how it is.

    Attributes:
        limits: of a request, and of the puzzles that wait.
    """

    limits: Limits

    @property
    def status(self) -> Status:
        """Whether requests are solved."""

    @property
    def most_requests(self) -> int:
        """Requests that may be here at once, since each has a puzzle or more."""

    @property
    def is_drained(self) -> bool:
        """Whether the handler was stopped, and nothing is left to be solved."""

    def health(self) -> Health:
        """Return the status, and how much there is to do."""

    def description(self) -> ServedBundle:
        """Describe the bundle and the limits."""

    def openapi(self) -> str:
        """Return the OpenAPI document, as JSON."""

    async def solve(self, body: bytes, arrived: float) -> Reply:
        """Solve the puzzles of a request. Where this is cancelled, the request is forgotten.

        Args:
            body: JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
            arrived: when the request did, by time.monotonic().

        Raises:
            RequestError: the request is refused, or has failed.
        """

    def count_reply(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: of the reply.
            seconds: since the request arrived.
        """

    async def metrics_text(self) -> bytes:
        """Write the metrics in Prometheus's text format."""

    def stop(self) -> None:
        """Take no more requests; those that are there are still solved."""

    def break_off(self) -> int:
        """End the requests that are there without an answer.

        Returns:
            Number of the requests.
        """
