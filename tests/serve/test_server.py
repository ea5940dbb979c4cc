"""The server on a socket: it stops when all that it took on is answered, or when its time is up."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.serve.services import WAIT, GatedBackend, gated_service, puzzle, until

pytest.importorskip("uvicorn", reason="needs pip install 'trm-edge[serve]'")

import httpx

from trm_edge.errors import BackendError, ConfigError
from trm_edge.serve.server import Server, is_loopback, open_socket
from trm_edge.serve.service import Service

Script = Callable[[Server, httpx.AsyncClient], Awaitable[None]]


def body(steps: int) -> dict[str, object]:
    return {"puzzles": [{"tokens": puzzle(steps)}]}


def served(service: Service, script: Script) -> Server:
    """Run a script while a service listens on a free port; both have to end.

    Args:
        service: an entered one.
        script: gets the server, and a client of it.
    """

    async def run(listener: socket.socket) -> Server:
        server = Server(service)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=WAIT) as client:
            await script(server, client)
        await asyncio.wait_for(serving, WAIT)
        return server

    with open_socket("127.0.0.1", 0) as listener:
        return asyncio.run(run(listener))


def test_what_is_in_flight_is_finished(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        posts = [asyncio.create_task(client.post("/solve", json=body(3))) for _ in range(5)]
        await until(lambda: service.queue.open_requests == 5)
        server.handle_exit(signal.SIGTERM, None)
        await until(lambda: service.status == "stopping")
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "stopping")
        assert (await client.get("/healthz")).status_code == 200  # not to be killed
        refused = await client.post("/solve", json=body(1))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        backend.open()
        for response in await asyncio.gather(*posts):
            assert response.status_code == 200
            assert response.json()["answers"][0]["steps"] == 3

    with gated_service(toy_bundle, backend, slots=2) as service:
        assert served(service, script).broken_off == 0


def test_the_rest_is_broken_off_when_the_time_is_up(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        posts = [asyncio.create_task(client.post("/solve", json=body(3))) for _ in range(3)]
        await until(lambda: service.queue.open_requests == 3)
        server.handle_exit(signal.SIGTERM, None)
        for response in await asyncio.gather(*posts):
            assert response.status_code == 503
            assert "the server is stopping" in response.json()["error"]
        backend.open()

    with gated_service(toy_bundle, backend, slots=1, grace_seconds=0.2) as service:
        assert served(service, script).broken_off == 3


def test_a_second_signal_does_not_wait(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        post = asyncio.create_task(client.post("/solve", json=body(3)))
        await until(lambda: service.queue.open_requests == 1)
        server.handle_exit(signal.SIGINT, None)
        server.handle_exit(signal.SIGINT, None)
        assert (await post).status_code == 503
        backend.open()

    with gated_service(toy_bundle, backend, grace_seconds=1000.0) as service:
        assert served(service, script).broken_off == 1


def test_a_server_whose_engine_has_failed_stops_at_once(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        backend.fail(BackendError("the GPU fell off the bus."))
        assert (await client.post("/solve", json=body(3))).status_code == 500
        assert (await client.get("/healthz")).status_code == 503
        server.handle_exit(signal.SIGTERM, None)

    with gated_service(toy_bundle, backend, grace_seconds=1000.0) as service:
        assert served(service, script).broken_off == 0
    assert service.status == "failed"  # the command's exit code is 1


def test_a_client_that_hangs_up_is_forgotten(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(server: Server, client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/solve", json=body(4), timeout=0.3)
        await until(lambda: service.queue.open_requests == 0)
        backend.open()
        assert (await client.post("/solve", json=body(1))).status_code == 200
        server.handle_exit(signal.SIGTERM, None)

    with gated_service(toy_bundle, backend, slots=1) as service:
        assert served(service, script).broken_off == 0


def test_an_address_that_is_taken() -> None:
    with open_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1, port {port}: "):
            open_socket("127.0.0.1", port)


def test_addresses_of_this_machine_alone() -> None:
    assert is_loopback("localhost")
    assert is_loopback("127.1.2.3")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("example.com")
