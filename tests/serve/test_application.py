"""The routes: requests of all clients in one loop, refusals with their status, and failures."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("httpx", reason="needs pip install 'trm-edge[dev]'")

import httpx

from tests.serve.services import (
    FailingBackend,
    GatedBackend,
    gated_service,
    puzzle,
    text,
    until,
    with_client,
)
from tests.toys import BASE
from trm_edge.bundle import Bundle
from trm_edge.errors import BackendError
from trm_edge.serve.application import make_application
from trm_edge.serve.service import Service


def body(*puzzles: list[int], **options: Any) -> dict[str, Any]:
    return {"puzzles": [{"tokens": tokens} for tokens in puzzles], **options}


def refused(response: httpx.Response, status: int, *texts: str) -> None:
    """Hold a reply to a status and to parts of its sentence."""
    assert response.status_code == status, response.text
    content = response.json()
    assert content["format"] == "trm-edge.error/1"
    for part in texts:
        assert part in content["error"]


def test_one_puzzle_as_text_and_as_tokens(toy_bundle: Path) -> None:
    tokens = [1, 2, 3, 4, 5, 6, 0, 1, 2]

    async def script(client: httpx.AsyncClient) -> None:
        first = await client.post("/solve", json={"puzzles": [text(tokens)]})
        second = await client.post("/solve", json=body(tokens))
        assert first.status_code == 200
        assert first.json() == second.json()
        (answer,) = first.json()["answers"]
        assert answer["puzzle"] == text(tokens)
        assert (answer["index"], answer["line"], answer["outcome"]) == (0, 1, "answered")

    with Service(Bundle.open(toy_bundle), threads=1) as service:
        with_client(service, script)


def test_answers_are_those_of_the_solver(toy_bundle: Path) -> None:
    """Many clients at once, each with other options, get what each would get alone."""
    rng = np.random.default_rng(3)
    requests = []
    for number in range(12):
        puzzles = rng.integers(0, BASE.vocab_size, (1 + number % 5, BASE.seq_len)).tolist()
        options: dict[str, Any] = {}
        if number % 3 == 1:
            options = {"halt": "fixed", "max_steps": 1 + number % 4}
        if number % 3 == 2:
            options = {"min_steps": 2, "rollouts": 3, "explore": ["noise"], "select": "q"}
        requests.append(body(*puzzles, **options))

    async def together(client: httpx.AsyncClient) -> list[Any]:
        posts = [client.post("/solve", json=request) for request in requests]
        return [response.json() for response in await asyncio.gather(*posts)]

    async def alone(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.post("/solve", json=request)).json() for request in requests]

    with Service(Bundle.open(toy_bundle), threads=1, slots=3) as service:
        shared = with_client(service, together)
    with Service(Bundle.open(toy_bundle), threads=1, slots=1) as service:
        expected = with_client(service, alone)
    for mine, other in zip(shared, expected, strict=True):
        for answer, reference in zip(mine["answers"], other["answers"], strict=True):
            close = ("q_halt", "confidence")
            for key, value in reference.items():
                if key in close:
                    assert answer[key] == pytest.approx(value, abs=1e-3)
                else:
                    assert answer[key] == value, key
    tries = {answer["tries"] for reply in shared for answer in reply["answers"]}
    assert 3 in tries


def test_a_halted_slot_takes_the_puzzle_of_the_next_request(toy_bundle: Path) -> None:
    """Two slots, a long puzzle and short ones of other clients: no batch per request."""
    backend = GatedBackend()
    long, *short = [puzzle(4), puzzle(1, 2), puzzle(1, 3), puzzle(1, 4)]

    async def script(client: httpx.AsyncClient) -> None:
        posts = [asyncio.create_task(client.post("/solve", json=body(long)))]
        await asyncio.to_thread(backend.wait_for_steps, 1)
        for tokens in short:
            posts.append(asyncio.create_task(client.post("/solve", json=body(tokens))))
        await until(lambda: service.queue.waiting == len(short))
        backend.open()
        for response in await asyncio.gather(*posts):
            assert response.status_code == 200

    with gated_service(toy_bundle, backend, slots=2) as service:
        with_client(service, script)
    steps = [set(batch) for batch in backend.batches]
    assert steps[0] == {tuple(long)}
    joined: list[tuple[int, ...]] = []
    for batch in steps[1:]:
        assert tuple(long) in batch
        joined += batch - {tuple(long)}
    assert sorted(joined) == sorted(map(tuple, short))  # one in each step of the long puzzle


def test_a_full_queue_is_429_and_nothing_else_is_lost(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(client: httpx.AsyncClient) -> None:
        tasks = [asyncio.create_task(client.post("/solve", json=body(puzzle(2))))]
        await asyncio.to_thread(backend.wait_for_steps, 1)
        full = body(puzzle(1, 2), puzzle(1, 3))
        tasks.append(asyncio.create_task(client.post("/solve", json=full)))
        await until(lambda: service.queue.waiting == 2)
        response = await client.post("/solve", json=body(puzzle(1)))
        refused(response, 429, "2 puzzles wait for a slot already, of 2 that may")
        assert int(response.headers["Retry-After"]) >= 1
        backend.open()
        for done in await asyncio.gather(*tasks):
            assert done.status_code == 200
        assert (await client.post("/solve", json=body(puzzle(1)))).status_code == 200

    with gated_service(toy_bundle, backend, slots=1, queue=2, puzzles=2) as service:
        with_client(service, script)


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "recursion depth"),
        (b"[]", 422, "not a request"),
        (b"{}", 422, "missing required field `puzzles`"),
        (b'{"puzzles": []}', 422, "length >= 1"),
        (b'{"puzzles": ["1"], "batch": 3}', 422, "unknown field `batch`"),
        (b'{"puzzles": ["1 2 3"]}', 422, "puzzle 0, line 1: expected 9 token ids, but got 3."),
        (b'{"puzzles": ["x"]}', 422, "line 1: expected token ids separated by spaces."),
        (b'{"puzzles": [""]}', 422, "expected the text of one tokens puzzle, but got none."),
        (b'{"puzzles": [{"tokens": [1, 2]}]}', 422, "tokens must have shape (9,), but got (2,)"),
        (b'{"puzzles": [{"tokens": [9,1,1,1,1,1,1,1,1]}]}', 422, "must lie in 0..6, but got 9"),
        (
            b'{"puzzles": [{"tokens": [1,1,1,1,1,1,1,1,1], "identifier": 3}]}',
            422,
            "identifier must lie in 0..2, but got 3",
        ),
        (b'{"puzzles": [{"tokens": [99999999999]}]}', 422, "<= 2147483647"),
    ],
)
def test_bad_bodies_are_sentences(
    content: bytes, status: int, sentence: str, toy_bundle: Path
) -> None:
    async def script(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "application/json"}
        response = await client.post("/solve", content=content, headers=headers)
        refused(response, status, sentence)

    with gated_service(toy_bundle, GatedBackend()) as service:
        with_client(service, script)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_steps": 5}, "at most that of the solver, 4, but got 5"),
        ({"min_steps": 3, "max_steps": 2}, "1 <= min_steps <= max_steps"),
        ({"rollouts": 9}, "rollouts must be at most 8 on this server, but got 9"),
        ({"rollouts": 2}, "the task tokens has no augmentations"),
        ({"explore": ["noise"]}, "the first try at a puzzle has neither noise"),
        ({"sigma": 0.5}, "--sigma is the size of noise"),
        ({"explore": ["noise"], "rollouts": 2}, "does not give its initial states"),
        ({"select": "valid"}, "the task tokens has no rule that accepts an answer"),
        ({"select": "settled"}, "Invalid enum value 'settled'"),
        ({"select": "mode", "min_confidence": 0.5}, "Leave out one of them"),
        ({"only_valid": True}, "so --only-valid cannot judge"),
        ({"deadline_ms": 40_001}, "deadline_ms must be at most 40000 on this server"),
        ({"deadline_ms": 0}, "> 0"),
        ({"halt": "never"}, "Invalid enum value 'never'"),
        ({"answer_if": 1.5}, "<= 1"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], sentence: str, toy_bundle: Path) -> None:
    async def script(client: httpx.AsyncClient) -> None:
        response = await client.post("/solve", json=body(puzzle(1), **options))
        refused(response, 422, sentence)

    with gated_service(toy_bundle, GatedBackend(), rollouts=8, seconds=40.0) as service:
        with_client(service, script)


def test_limits_of_size(toy_bundle: Path) -> None:
    many = body(*[puzzle(1)] * 4)

    async def endless() -> Any:
        while True:
            yield b"[" * 100

    async def script(client: httpx.AsyncClient) -> None:
        refused(await client.post("/solve", json=many), 413, "may have 3 puzzles", "has 4")
        large = body(puzzle(1), explore=["forms"] * 100)
        refused(await client.post("/solve", json=large), 413, "larger than 500 bytes")
        headers = {"Content-Type": "application/json"}
        response = await client.post("/solve", content=endless(), headers=headers)
        refused(response, 413, "larger than 500 bytes")
        response = await client.post(
            "/solve", content=b"{}", headers={"Content-Type": "text/plain"}
        )
        refused(response, 415, "application/json", "'text/plain'")

    with gated_service(toy_bundle, GatedBackend(), puzzles=3, body_bytes=500) as service:
        with_client(service, script)


def test_other_paths_and_methods(toy_bundle: Path) -> None:
    async def script(client: httpx.AsyncClient) -> None:
        refused(await client.get("/nothing"), 404, "/openapi.json")
        response = await client.get("/solve")
        refused(response, 405, "does not take the method GET")
        assert response.headers["Allow"] == "POST"

    with gated_service(toy_bundle, GatedBackend()) as service:
        with_client(service, script)


def test_a_deadline_that_passes_in_the_queue(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(client: httpx.AsyncClient) -> None:
        first = asyncio.create_task(client.post("/solve", json=body(puzzle(1))))
        await asyncio.to_thread(backend.wait_for_steps, 1)
        request = body(puzzle(1, 2), puzzle(1, 3), deadline_ms=20)
        response = await client.post("/solve", json=request)
        refused(response, 504, "2 of 2 puzzles had not begun")
        assert service.queue.waiting == 0
        backend.open()
        assert (await first).status_code == 200

    with gated_service(toy_bundle, backend, slots=1) as service:
        with_client(service, script)
    assert backend.batches == [[tuple(puzzle(1))]]  # nothing was spent on the late ones


def test_a_deadline_that_passes_at_work(toy_bundle: Path) -> None:
    """The answer is that of the last step, as in ``solve --deadline-ms``."""
    backend = GatedBackend()

    async def script(client: httpx.AsyncClient) -> None:
        request = body(puzzle(4), deadline_ms=1000)
        post = asyncio.create_task(client.post("/solve", json=request))
        await asyncio.to_thread(backend.wait_for_steps, 1)
        await asyncio.sleep(1.1)
        backend.open()
        (answer,) = (await post).json()["answers"]
        assert (answer["steps"], answer["timed_out"], answer["halted"]) == (1, True, False)

    with gated_service(toy_bundle, backend) as service:
        with_client(service, script)


def test_an_engine_that_hangs_fails_the_request(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(client: httpx.AsyncClient) -> None:
        response = await client.post("/solve", json=body(puzzle(1)))
        refused(response, 504, "the engine had not ended its step")
        await until(lambda: service.status == "stalled")
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).json()["status"] == "stalled"
        refused(await client.post("/solve", json=body(puzzle(1))), 503, "stalled")
        backend.open()
        await until(lambda: service.status == "ready")
        assert (await client.post("/solve", json=body(puzzle(1)))).status_code == 200

    with gated_service(toy_bundle, backend, seconds=1.0) as service:
        with_client(service, script)


def test_an_engine_that_fails_ends_what_is_in_flight(toy_bundle: Path) -> None:
    backend = GatedBackend()

    async def script(client: httpx.AsyncClient) -> None:
        assert (await client.get("/readyz")).json()["status"] == "ready"
        posts = []
        for kind in (1, 2, 3):
            post = client.post("/solve", json=body(puzzle(2, kind)))
            posts.append(asyncio.create_task(post))
        await until(lambda: service.queue.open_requests == 3)
        backend.fail(BackendError("the GPU fell off the bus."))
        for response in await asyncio.gather(*posts):
            refused(response, 500, "the engine failed: the GPU fell off the bus.")
        for path in ("/healthz", "/readyz"):
            response = await client.get(path)
            assert (response.status_code, response.json()["status"]) == (503, "failed")
        response = await client.post("/solve", json=body(puzzle(1)))
        refused(response, 503, "failed")
        assert (await client.get("/metrics")).status_code == 200

    with gated_service(toy_bundle, backend, slots=1) as service:
        with_client(service, script)


def test_an_engine_that_cannot_be_loaded(toy_bundle: Path) -> None:
    service = gated_service(toy_bundle, FailingBackend())
    with pytest.raises(BackendError, match="there is no GPU"):
        service.__enter__()


@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_leaves(begun: bool, toy_bundle: Path) -> None:
    """Its puzzles are not begun; one that has begun is given up after its step."""
    backend = GatedBackend()
    mine = puzzle(4, 2)
    request_body = json.dumps(body(mine, puzzle(4, 3))).encode()

    async def script(client: httpx.AsyncClient) -> None:
        other = None
        if not begun:
            other = asyncio.create_task(client.post("/solve", json=body(puzzle(2))))
            await asyncio.to_thread(backend.wait_for_steps, 1)
        leaves = asyncio.Event()
        messages = [{"type": "http.request", "body": request_body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/solve",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        task = asyncio.create_task(make_application(service)(scope, receive, send))
        await until(lambda: service.queue.open_requests == (1 if begun else 2))
        if begun:
            await asyncio.to_thread(backend.wait_for_steps, 1)
        leaves.set()
        await task
        assert service.queue.waiting == 0
        backend.open()
        if other is not None:
            assert (await other).status_code == 200
        await until(lambda: service.queue.in_flight == 0)
        metrics = (await client.get("/metrics")).text
        assert 'trm_edge_requests_total{status="499"} 1.0' in metrics

    with gated_service(toy_bundle, backend, slots=1) as service:
        with_client(service, script)
    mine_steps = sum(tuple(mine) in batch for batch in backend.batches)
    assert mine_steps == (1 if begun else 0)


def test_the_bundle_and_its_limits(toy_bundle: Path) -> None:
    async def script(client: httpx.AsyncClient) -> None:
        content = (await client.get("/v1/bundle")).json()
        assert content["format"] == "trm-edge.served/1"
        assert (content["task"], content["target"], content["cells"]) == ("tokens", "cpu", 9)
        assert (content["slots"], content["max_waiting"], content["max_steps"]) == (4, 50, 4)
        assert content["engine"] == "fake"
        assert len(content["manifest_sha256"]) == 64

    with gated_service(toy_bundle, GatedBackend(), queue=50, puzzles=5) as service:
        with_client(service, script)


def test_metrics_count_what_happened(toy_bundle: Path) -> None:
    backend = GatedBackend()
    backend.open()

    async def script(client: httpx.AsyncClient) -> None:
        await client.post("/solve", json=body(puzzle(3), puzzle(1)))
        await client.post("/solve", json=body(puzzle(1), answer_if=1.0))
        await client.post("/solve", content=b"")
        response = await client.get("/metrics")
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        lines = response.text.splitlines()
        for line in (
            'trm_edge_requests_total{status="200"} 2.0',
            'trm_edge_requests_total{status="415"} 1.0',
            'trm_edge_puzzles_total{outcome="answered"} 2.0',
            'trm_edge_puzzles_total{outcome="unsure"} 1.0',
            "trm_edge_puzzle_steps_sum 5.0",
            "trm_edge_puzzle_steps_count 3.0",
            "trm_edge_wait_seconds_count 3.0",
            "trm_edge_request_seconds_count 2.0",
            "trm_edge_ready 1.0",
            "trm_edge_waiting_puzzles 0.0",
            "trm_edge_puzzles_in_flight 0.0",
            "trm_edge_slots 4.0",
            "trm_edge_slot_steps 5.0",
        ):
            assert line in lines

    with gated_service(toy_bundle, backend) as service:
        with_client(service, script)
