"""Requests that are handed to replicas, without Ray: what becomes of those that a replica loses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("ray.serve", reason="needs pip install 'trm-edge[ray-serve]'")

from ray.exceptions import ActorDiedError, RayError
from ray.serve.exceptions import DeploymentUnavailableError

from trm_edge.serve.limits import Limits
from trm_edge.serve.ray_handler import RayHandler
from trm_edge.serve.ray_replica import ReplicaState
from trm_edge.serve.refusals import EngineFailedError, NotReadyError, TooLateError
from trm_edge.serve.replies import Health, ServedBundle
from trm_edge.serve.reply import Reply, refusal_reply

pytestmark = pytest.mark.filterwarnings("default")  # Ray's own code warns

SOLVED = Reply(200, b"{}")
STOPPED = refusal_reply(NotReadyError("the replica is stopping.", retry_after=1))
SERVED = ServedBundle(
    bundle="toy",
    manifest_sha256="0" * 64,
    version="1",
    task="tokens",
    target="cpu",
    precision="fp32",
    engine="fake",
    halting="adaptive",
    max_steps=4,
    cells=9,
    tokens=12,
    identifiers=1,
    slots=4,
    max_waiting=50,
    max_puzzles=5,
    max_body_bytes=1000,
    max_seconds=30.0,
    max_rollouts=8,
)
Outcome = Callable[[], Awaitable[Reply]]


class Response:
    """What Ray Serve returns for a call."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self.is_cancelled = False

    def __await__(self) -> Any:
        return self._outcome().__await__()

    def cancel(self) -> None:
        self.is_cancelled = True


class Broadcast:
    def __init__(self, results: list[Any]) -> None:
        self._results = results

    def results(self, **options: Any) -> list[Any]:
        return self._results

    async def results_async(self, **options: Any) -> list[Any]:
        return self._results


class Handle:
    """Ray Serve's handle of replicas, with outcomes that a test gives in order."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._outcomes = list(outcomes)
        self.responses: list[Response] = []
        self.waited: list[float] = []
        self.states: list[Any] = [ReplicaState("a:1", Health("ready", 1, 2))]
        self.metrics: list[Any] = [("a:1", "# TYPE slots gauge\nslots 4.0\n")]

    @property
    def solve(self) -> Handle:
        return self

    def remote(self, body: bytes, waited: float) -> Response:
        self.waited.append(waited)
        self.responses.append(Response(self._outcomes.pop(0)))
        return self.responses[-1]

    def broadcast(self, method: str) -> Broadcast:
        results = {"state": self.states, "metrics": self.metrics}[method]
        if not results:
            raise DeploymentUnavailableError("Replica")  # type: ignore[arg-type]
        return Broadcast(results)


def replies(reply: Reply) -> Outcome:
    async def outcome() -> Reply:
        return reply

    return outcome


def raises(error: Exception) -> Outcome:
    async def outcome() -> Reply:
        raise error

    return outcome


async def never() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


def handler_of(handle: Handle, **limits: Any) -> RayHandler:
    return RayHandler(handle, SERVED, "{}", Limits(**limits), count=2)


def solved(handle: Handle, **limits: Any) -> Reply:
    """Hand a request over that arrived a second ago."""
    with handler_of(handle, **limits) as handler:
        return asyncio.run(handler.solve(b"{}", time.monotonic() - 1.0))


def test_a_replica_learns_how_long_the_request_has_waited() -> None:
    handle = Handle(replies(SOLVED))
    assert solved(handle) == SOLVED
    assert handle.waited[0] >= 1.0


@pytest.mark.parametrize("status", [422, 429, 500, 504])
def test_what_a_replica_says_is_passed_on(status: int) -> None:
    reply = Reply(status, b"why", retry_after=7)
    assert solved(Handle(replies(reply))) == reply


def test_a_replica_that_is_not_ready_is_passed_over() -> None:
    handle = Handle(replies(STOPPED), replies(STOPPED), replies(SOLVED))
    assert solved(handle) == SOLVED
    handle = Handle(*[replies(STOPPED)] * 3)
    assert solved(handle) == STOPPED
    assert len(handle.responses) == 3


@pytest.mark.parametrize(
    "error",
    [ActorDiedError(), DeploymentUnavailableError("Replica")],  # type: ignore[arg-type]
)
def test_a_request_whose_replica_dies_is_not_repeated(error: Exception) -> None:
    """It may be the one that ends whatever solves it."""
    handle = Handle(raises(error))
    with pytest.raises(NotReadyError, match=r"has died.* Send the request again") as caught:
        solved(handle)
    assert caught.value.retry_after == 1
    assert len(handle.responses) == 1


def test_another_error_of_ray_is_said() -> None:
    with pytest.raises(EngineFailedError, match="log says why"):
        solved(Handle(raises(RayError("no memory"))))


def test_a_replica_that_does_not_reply() -> None:
    handle = Handle(never)
    with pytest.raises(TooLateError, match="no replica had replied"):
        solved(handle, seconds=0.51)  # it arrived a second ago, and twice the time is nearly up
    assert handle.responses[0].is_cancelled


def test_a_client_that_leaves_is_forgotten_by_the_replica() -> None:
    handle = Handle(never)

    async def script(handler: RayHandler) -> None:
        solving = asyncio.create_task(handler.solve(b"{}", time.monotonic()))
        while not handle.responses:
            await asyncio.sleep(0)
        solving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await solving
        assert handle.responses[0].is_cancelled
        handler.stop()
        assert handler.is_drained

    with handler_of(handle) as handler:
        asyncio.run(script(handler))


def test_a_stop_waits_for_what_is_there() -> None:
    gate = asyncio.Event()

    async def answer() -> Reply:
        await gate.wait()
        return SOLVED

    async def script(handler: RayHandler) -> None:
        solving = asyncio.create_task(handler.solve(b"{}", time.monotonic()))
        await asyncio.sleep(0)
        handler.stop()
        assert handler.health().status == handler.status == "stopping"
        assert not handler.is_drained
        with pytest.raises(NotReadyError, match="the server is stopping"):
            await handler.solve(b"{}", time.monotonic())
        gate.set()
        assert await solving == SOLVED
        assert handler.is_drained

    with handler_of(Handle(answer)) as handler:
        asyncio.run(script(handler))


def test_what_is_broken_off_has_a_reply() -> None:
    async def script(handler: RayHandler) -> None:
        solving = [asyncio.create_task(handler.solve(b"{}", time.monotonic())) for _ in range(2)]
        await asyncio.sleep(0)
        assert handler.break_off() == 2
        for request in solving:
            with pytest.raises(NotReadyError, match="the server is stopping"):
                await request

    with handler_of(Handle(never, never)) as handler:
        asyncio.run(script(handler))


def test_health_and_metrics_without_replicas() -> None:
    handle = Handle()
    with handler_of(handle) as handler:
        assert handler.health() == Health("ready", waiting=1, in_flight=2)
        handler.count_reply(200, 0.1)
        text = asyncio.run(handler.metrics_text()).decode()
        assert 'slots{replica="a:1"} 4.0' in text
        assert 'trm_edge_requests_total{status="200"} 1.0' in text
        handle.metrics = [ActorDiedError()]
        assert "slots" not in asyncio.run(handler.metrics_text()).decode()
        handle.metrics = []
        assert "slots" not in asyncio.run(handler.metrics_text()).decode()
    handle.states = []
    with handler_of(handle) as handler:
        assert handler.status == "replacing"


def test_slots_and_waiting_puzzles_are_those_of_all_replicas() -> None:
    handler = handler_of(Handle(), queue=50, puzzles=5)
    served = handler.description()
    assert (served.replicas, served.slots, served.max_waiting) == (2, 8, 100)
    assert handler.most_requests == 108
