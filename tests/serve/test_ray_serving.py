"""Replicas on Ray Serve behind the routes of a server. Ray is started once for all tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.serve", reason="needs pip install 'trm-edge[ray-serve]'")

import httpx
import numpy as np

from tests.cli.commands import LINE, run
from tests.cli.test_serve import serving, solved
from tests.serve.ray_replicas import GATE, GatedReplica, process_of
from tests.serve.services import WAIT, puzzle, until
from trm_edge.batch.ray_cluster import ray_cluster
from trm_edge.batch.worker_plan import WorkerPlan
from trm_edge.bundle import Bundle
from trm_edge.errors import BundleError, ConfigError, TrmEdgeError
from trm_edge.puzzle import Puzzle
from trm_edge.serve.limits import Limits
from trm_edge.serve.ray_deployment import (
    application_name,
    deploy_replicas,
    describe_on_cluster,
    reserved_application,
)
from trm_edge.serve.ray_handler import RayHandler
from trm_edge.serve.ray_replica import Replica, ReplicaState
from trm_edge.serve.replica_options import ReplicaOptions
from trm_edge.serve.replies import ServedBundle
from trm_edge.serve.server import Server, open_socket

# Ray's own code warns, and it takes half a minute to start on a busy machine.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.slow]

PLAN = WorkerPlan(count=2, gpus=0, threads=1, cpus=0.5)
LIMITS = Limits(queue=2, puzzles=2, seconds=WAIT)
CAPACITY = 2 * (1 + 2)  # puzzles: of two replicas, each with a slot and two that wait
SENT = 20
Script = Callable[[Server, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_cluster():
        yield


def options_of(bundle: Path, slots: int, limits: Limits) -> ReplicaOptions:
    return ReplicaOptions.of(
        Bundle.open(bundle), None, slots=slots, threads=1, max_steps=None, limits=limits
    )


@dataclass(frozen=True)
class Deployed:
    """Two replicas that run.

    Args:
        handle: Ray Serve's.
        options: of each.
        served: by each.
    """

    handle: Any
    options: ReplicaOptions
    served: ServedBundle

    def handler(self) -> RayHandler:
        """A handler that was not stopped yet."""
        return RayHandler(self.handle, self.served, "{}", self.options.limits, PLAN.count)

    @contextmanager
    def gate(self) -> Iterator[Path]:
        """Let no step end until the block does, or the file is removed."""
        path = self.options.bundle / GATE
        path.touch()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def deployed(options: ReplicaOptions, kind: type = Replica) -> Iterator[Deployed]:
    served = describe_on_cluster(options, PLAN)
    name = application_name(options)
    with reserved_application(name):
        yield Deployed(deploy_replicas(name, options, PLAN, kind), options, served)


@pytest.fixture(scope="module")
def gated(
    cluster: None, toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """Replicas with a slot each, whose steps end while there is no gate."""
    bundle = tmp_path_factory.mktemp("gated") / "gated-toy"
    shutil.copytree(toy_bundle, bundle)
    with deployed(options_of(bundle, 1, LIMITS), GatedReplica) as two:
        yield two


def with_server(handler: RayHandler, script: Script) -> Server:
    """Run a script while a server listens on a free port; then it is stopped by a signal."""

    async def run(listener: socket.socket) -> Server:
        server = Server(handler)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT) as client:
            await script(server, client)
            if not server.is_stopping:
                server.handle_exit(signal.SIGTERM, None)
            await asyncio.wait_for(serving, WAIT)
        return server

    with open_socket("127.0.0.1", 0) as listener:
        return asyncio.run(run(listener))


def body(steps: int, kind: int = 1) -> dict[str, object]:
    return {"puzzles": [{"tokens": puzzle(steps, kind)}]}


def test_answers_are_those_of_one_process(cluster: None, toy_bundle: Path) -> None:
    puzzles = [puzzle(steps, kind) for steps in (1, 2, 3, 4) for kind in (1, 2, 3)]
    tokens = [{"tokens": ids} for ids in puzzles]
    bundle = Bundle.open(toy_bundle)
    with bundle.solver(threads=1) as solver:
        solutions = list(solver.solve([Puzzle(np.array(ids, np.int32)) for ids in puzzles]))
    solutions.sort(key=lambda solution: solution.index)  # they come as they halt
    task = bundle.task()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).json()["status"] == "ready"
        assert (await client.get("/healthz")).status_code == 200
        singles = [client.post("/solve", json={"puzzles": [ids]}) for ids in tokens]
        together = await client.post("/solve", json={"puzzles": tokens})
        answers = []
        for response in await asyncio.gather(*singles):
            assert response.status_code == 200
            answers.append(response.json()["answers"][0]["answer"])
        assert answers == [task.text(solution.answer) for solution in solutions]
        assert [answer["answer"] for answer in together.json()["answers"]] == answers
        await check_metrics(client, requests=len(tokens) + 1, puzzles=2 * len(tokens))
        served = (await client.get("/v1/bundle")).json()
        assert (served["replicas"], served["slots"]) == (2, 6)
        assert served["engine"].startswith("ONNX Runtime")

    with deployed(options_of(toy_bundle, 3, Limits())) as two, two.handler() as handler:
        assert with_server(handler, script).broken_off == 0


async def check_metrics(client: httpx.AsyncClient, requests: int, puzzles: int) -> None:
    """The counts of both replicas add up, and those of requests are the server's."""
    lines = (await client.get("/metrics")).text.splitlines()
    assert f'trm_edge_requests_total{{status="200"}} {requests:.1f}' in lines
    total = 0.0
    names = set()
    for line in lines:
        if line.startswith("trm_edge_puzzle_steps_count{"):
            name, _, value = line.partition("} ")
            names.add(name)
            total += float(value)
    assert (len(names), total) == (2, puzzles)


def test_refusals_are_those_of_one_process(gated: Deployed) -> None:
    async def script(server: Server, client: httpx.AsyncClient) -> None:
        json_type = {"Content-Type": "application/json"}
        for status, options in (
            (400, {"content": b"{", "headers": json_type}),
            (413, {"json": {"puzzles": [{"tokens": puzzle(1)}] * 3}}),
            (413, {"content": b" " * (LIMITS.body_bytes + 1), "headers": json_type}),
            (415, {"content": b"{}"}),
            (422, {"json": {"puzzles": ["no puzzle"]}}),
        ):
            response = await client.post("/solve", **options)
            assert response.status_code == status
            assert response.json()["format"] == "trm-edge.error/1"
        response = await client.get("/nowhere")
        assert (response.status_code, response.json()["format"]) == (404, "trm-edge.error/1")

    with gated.handler() as handler:
        with_server(handler, script)


def test_full_replicas_refuse_with_429_and_lose_nothing(gated: Deployed) -> None:
    async def script(server: Server, client: httpx.AsyncClient) -> None:
        with gated.gate() as gate:
            posts = [asyncio.create_task(client.post("/solve", json=body(2))) for _ in range(SENT)]
            done: set[asyncio.Task[httpx.Response]] = set()
            waiting: set[asyncio.Task[httpx.Response]] = set(posts)
            while len(done) < SENT - CAPACITY:
                ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            for post in done:
                refused = post.result()
                assert refused.status_code == 429
                assert int(refused.headers["Retry-After"]) >= 1
                assert "Try again later" in refused.json()["error"]
            gate.unlink()
            responses = await asyncio.gather(*posts)
        statuses = [response.status_code for response in responses]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 2

    with gated.handler() as handler:
        with_server(handler, script)


def test_a_stop_finishes_what_is_in_flight(gated: Deployed) -> None:
    async def script(server: Server, client: httpx.AsyncClient) -> None:
        with gated.gate() as gate:
            posts = []
            for count in (1, 2):
                posts.append(asyncio.create_task(client.post("/solve", json=body(2))))
                await until(lambda count=count: handler.health().in_flight == count)  # type: ignore[misc]
            late = await client.post("/solve", json={**body(2), "deadline_ms": 200})
            assert late.status_code == 504
            with pytest.raises(httpx.ReadTimeout):  # a client that hangs up
                await client.post("/solve", json=body(2), timeout=1.0)
            await until(lambda: handler.health().waiting == 0)
            server.handle_exit(signal.SIGTERM, None)
            await until(lambda: handler.status == "stopping")
            assert (await client.get("/readyz")).json()["status"] == "stopping"
            assert (await client.get("/healthz")).status_code == 200
            refused = await client.post("/solve", json=body(1))
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            gate.unlink()
            for response in await asyncio.gather(*posts):
                assert response.status_code == 200
                assert response.json()["answers"][0]["steps"] == 2

    with gated.handler() as handler:
        assert with_server(handler, script).broken_off == 0


def test_what_is_in_flight_when_the_grace_period_ends(gated: Deployed) -> None:
    options = replace(gated.options, limits=replace(LIMITS, grace_seconds=0.2))

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        post = asyncio.create_task(client.post("/solve", json=body(2)))
        await until(lambda: handler.health().in_flight == 1)
        server.handle_exit(signal.SIGTERM, None)
        response = await post
        assert response.status_code == 503
        assert "the server is stopping" in response.json()["error"]

    with gated.gate(), replace(gated, options=options).handler() as handler:
        assert with_server(handler, script).broken_off == 1


def test_two_servers_of_one_bundle_are_refused(gated: Deployed) -> None:
    with (
        pytest.raises(ConfigError, match=r"trm-edge-gated-toy runs on this Ray cluster already"),
        reserved_application(application_name(gated.options)),
    ):
        pass


def test_another_bundle_on_the_cluster_is_refused(cluster: None, toy_bundle: Path) -> None:
    options = options_of(toy_bundle, 1, LIMITS)
    with pytest.raises(BundleError, match="has another bundle at"):
        describe_on_cluster(replace(options, manifest_sha256="0" * 64), PLAN)


def test_another_engine_on_the_cluster_is_refused(cluster: None, toy_bundle: Path) -> None:
    options = replace(options_of(toy_bundle, 1, LIMITS), engine="TensorRT 10.3")
    with (
        pytest.raises(TrmEdgeError, match=r"would solve with ONNX Runtime .* with TensorRT 10\.3"),
        reserved_application("other"),
    ):
        deploy_replicas("other", options, PLAN)


def test_a_replica_that_is_killed_is_replaced(gated: Deployed) -> None:
    """Its request gets 503, that of the other replica is answered, and later ones are, too."""

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        with gated.gate() as gate:
            posts = []
            for count in (1, 2):
                posts.append(asyncio.create_task(client.post("/solve", json=body(2))))
                await until(lambda count=count: handler.health().in_flight == count)  # type: ignore[misc]
            states = await gated.handle.broadcast("state").results_async()
            assert [state.health.in_flight for state in states] == [1, 1]
            os.kill(process_of(states[0]), signal.SIGKILL)
            await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
            assert (await client.get("/healthz")).status_code == 200
            gate.unlink()
            responses = await asyncio.gather(*posts)
        responses.sort(key=lambda response: response.status_code)
        assert [response.status_code for response in responses] == [200, 503]
        assert "the replica that had the request has died" in responses[1].json()["error"]
        assert responses[1].headers["Retry-After"] == "1"
        processes = await asyncio.wait_for(two_processes(gated.handle), WAIT)
        assert process_of(states[0]) not in processes
        assert process_of(states[1]) in processes
        for _ in range(SENT):
            assert (await client.post("/solve", json=body(1))).status_code == 200

    with gated.handler() as handler:
        with_server(handler, script)


async def two_processes(handle: Any) -> list[int]:
    """Wait until two replicas answer, and return their processes."""
    while True:
        results = await handle.broadcast("state").results_async(return_exceptions=True)
        states = [result for result in results if isinstance(result, ReplicaState)]
        if len(states) == 2:
            return [process_of(state) for state in states]
        await asyncio.sleep(0.1)


def test_the_command_stops_with_0(toy_bundle: Path) -> None:
    expected = json.loads(run("solve", toy_bundle, "-", "--format", "json", stdin=LINE).stdout)
    with serving(toy_bundle, "--threads", "1", "--ray", "--replicas", "2") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        answer = solved(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert answer["answer"] == expected["answer"]
