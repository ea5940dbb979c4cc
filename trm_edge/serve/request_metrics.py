"""What a server counts of its requests, for Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class RequestMetrics:
    """The metrics of requests, which the process counts that listens.

    Args:
        registry: that gets them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "trm_edge_requests",
            "Requests to /solve by the status of the reply; 499: the client had left.",
            ["status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "trm_edge_request_seconds",
            "Seconds from the arrival of a request to its answers, of those that were solved.",
            buckets=SECONDS,
            registry=registry,
        )

    def count(self, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            status: of the reply.
            seconds: since the request arrived.
        """
        self._requests.labels(str(status)).inc()
        if status == 200:
            self._request_seconds.observe(seconds)
