"""What a service counts of its puzzles and itself, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from trm_edge.serve.replies import AnswerList
from trm_edge.serve.request_metrics import SECONDS, RequestMetrics

if TYPE_CHECKING:
    from trm_edge.serve.service import Service

_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one service; its own registry keeps those of several apart.

    Attributes:
        requests: those of requests.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = RequestMetrics(self._registry)
        self._wait_seconds = Histogram(
            "trm_edge_wait_seconds",
            "Seconds from the arrival of a puzzle's request until it got a slot.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._puzzles = Counter(
            "trm_edge_puzzles",
            "Puzzles that were solved, by the outcome of the answer.",
            ["outcome"],
            registry=self._registry,
        )
        self._timed_out = Counter(
            "trm_edge_timed_out_puzzles",
            "Puzzles whose deadline ended the search for the answer.",
            registry=self._registry,
        )
        self._steps = Histogram(
            "trm_edge_puzzle_steps",
            "Steps of a puzzle, of all tries at it.",
            buckets=_STEPS,
            registry=self._registry,
        )

    def watch(self, service: Service) -> None:
        """Add the gauges of a service, which are read when they are asked for.

        Args:
            service: whose metrics these are.
        """
        queue = service.queue
        self._gauge("ready", "1 where requests are solved.", lambda: service.status == "ready")
        self._gauge("waiting_puzzles", "Puzzles that wait for a slot.", lambda: queue.waiting)
        self._gauge("waiting_puzzles_limit", "Puzzles that may wait.", lambda: queue.limit)
        self._gauge("puzzles_in_flight", "Puzzles that have begun.", lambda: queue.in_flight)
        self._gauge("slots", "Puzzles that are worked on at once.", lambda: service.slots)
        self._gauge(
            "slot_steps", "Steps since the start, summed over slots.", lambda: service.slot_steps
        )

    def observe_wait(self, seconds: float) -> None:
        """Count a puzzle that got a slot.

        Args:
            seconds: since its request arrived.
        """
        self._wait_seconds.observe(seconds)

    def count_answers(self, answers: AnswerList) -> None:
        """Count the answers to a request.

        Args:
            answers: the reply.
        """
        for answer in answers.answers:
            self._puzzles.labels(answer.outcome).inc()
            self._steps.observe(answer.steps)
            self._timed_out.inc(int(answer.timed_out))

    def encode(self) -> bytes:
        """Write all of them in Prometheus's text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        gauge = Gauge(f"trm_edge_{name}", text, registry=self._registry)
        gauge.set_function(value)
