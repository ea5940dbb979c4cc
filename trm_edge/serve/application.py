"""The routes of a server, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from trm_edge import records
from trm_edge.loop.solution import Solution
from trm_edge.serve.openapi import openapi_document
from trm_edge.serve.refusals import (
    EngineFailedError,
    NotReadyError,
    QueueFullError,
    RequestError,
    TooLargeError,
    TooLateError,
    TooSlowError,
    WrongTypeError,
)
from trm_edge.serve.replies import (
    ANSWERS_FORMAT,
    ERROR_FORMAT,
    HEALTH_FORMAT,
    SERVED_FORMAT,
    AnswerList,
    ErrorReply,
)
from trm_edge.serve.service import Service
from trm_edge.serve.ticket import Ticket

logger = logging.getLogger(__name__)

JSON = "application/json"
CLIENT_LEFT = 499  # nobody gets it; counted alone


def make_application(service: Service) -> Starlette:
    """Make the application of a service.

    Args:
        service: an entered one.
    """
    endpoint = SolveEndpoint(service)
    document = openapi_document(service.limits, service.task.config, service.halting)

    async def healthz(request: Request) -> Response:
        health = service.health()
        is_alive = health.status in ("ready", "stopping")
        return _reply(health, HEALTH_FORMAT, 200 if is_alive else 503)

    async def readyz(request: Request) -> Response:
        health = service.health()
        return _reply(health, HEALTH_FORMAT, 200 if health.status == "ready" else 503)

    async def metrics(request: Request) -> Response:
        content = await run_in_threadpool(service.metrics.encode)
        return Response(content, media_type=service.metrics.content_type)

    async def bundle(request: Request) -> Response:
        return _reply(service.description(), SERVED_FORMAT)

    async def openapi(request: Request) -> Response:
        return Response(document, media_type=JSON)

    routes = [Route("/solve", endpoint.solve, methods=["POST"])]
    readers: dict[str, Callable[[Request], Any]] = {
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": metrics,
        "/v1/bundle": bundle,
        "/openapi.json": openapi,
    }
    for path, reader in readers.items():
        routes.append(Route(path, reader, methods=["GET"]))
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


class SolveEndpoint:
    """``POST /solve``.

    Args:
        service: solves the requests.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._active = 0  # requests whose body is read, or that wait for their answers

    async def solve(self, request: Request) -> Response:
        """Solve the puzzles of a request.

        Args:
            request: its body is JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
        """
        self._active += 1
        try:
            response = await self._solve(request)
        except RequestError as refusal:
            response = _refused(refusal)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_LEFT)
        except Exception:
            logger.exception("a request to /solve failed")
            response = _refused(EngineFailedError("the server failed; its log says why."))
        finally:
            self._active -= 1
        self._service.metrics.count_reply(response.status_code)
        return response

    async def _solve(self, request: Request) -> Response:
        arrived = time.monotonic()
        self._check_room()
        body = await self._body(request)
        # Parsing and judging hundreds of puzzles takes long enough to hold up other requests.
        admission = await run_in_threadpool(self._service.reader.read, body, arrived)
        ticket = admission.ticket
        self._service.queue.submit(ticket)
        try:
            solutions = await self._outcome(request, ticket)
        finally:
            self._service.queue.cancel(ticket)
        reply = await run_in_threadpool(self._service.answers, ticket, solutions, admission.policy)
        self._service.metrics.count_answers(reply, time.monotonic() - arrived)
        return await run_in_threadpool(_reply, reply, ANSWERS_FORMAT)

    def _check_room(self) -> None:
        """Refuse a request whose body need not be read.

        Raises:
            NotReadyError: nothing is solved any more.
            QueueFullError: as many requests are there as there may be puzzles.
        """
        status = self._service.status
        if status != "ready":
            raise NotReadyError(f"the server is not ready: {status}.", retry_after=1)
        most = self._service.limits.queue + self._service.slots
        if self._active > most:
            raise QueueFullError(
                f"{most} requests are there already. Try again later.", retry_after=1
            )

    async def _body(self, request: Request) -> bytes:
        """Read the body, no further than the limit.

        Raises:
            WrongTypeError: it is not declared as JSON.
            TooLargeError: it is over the limit.
            TooSlowError: it did not arrive within the time of a request.
        """
        declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if declared != JSON:
            raise WrongTypeError(
                f"the body must be sent with Content-Type: {JSON}, but got {declared!r}."
            )
        limits = self._service.limits
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        try:
            return await asyncio.wait_for(_read(request, limits.body_bytes), limits.seconds)
        except asyncio.TimeoutError as error:
            raise TooSlowError(
                f"the body did not arrive within {limits.seconds:g} seconds."
            ) from error

    async def _outcome(self, request: Request, ticket: Ticket) -> list[Solution]:
        """Wait for the solutions of a request.

        Raises:
            ClientDisconnect: the client has left.
            TooLateError: the time is up, and a puzzle has not begun, or its step does not end.
            RequestError: the request failed.
        """
        done = asyncio.ensure_future(asyncio.wrap_future(ticket.done))
        left = asyncio.ensure_future(_wait_until_left(request))
        try:
            await _first(done, left, ticket.due - time.monotonic())
            if not done.done() and not left.done():
                if ticket.waiting:
                    raise TooLateError(
                        f"{ticket.waiting} of {len(ticket.puzzles)} puzzles had not begun when "
                        "the time was up. Allow more time, or send fewer puzzles."
                    )
                # All have begun: their steps end soon, unless the engine hangs.
                await _first(done, left, self._service.limits.seconds)
            if done.done():
                return done.result()
            if left.done():
                raise ClientDisconnect
            raise TooLateError("the time was up, and the engine had not ended its step.")
        finally:
            left.cancel()
            done.cancel()


async def _first(done: asyncio.Future[Any], left: asyncio.Future[Any], seconds: float) -> None:
    await asyncio.wait((done, left), timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def _wait_until_left(request: Request) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(
        f"the body is larger than {limit} bytes. Send the puzzles in several requests."
    )


def _reply(record: AnswerList | Any, kind: records.Format, status: int = 200) -> Response:
    return Response(records.encode(record, kind, indent=0), status, media_type=JSON)


def _refused(refusal: RequestError) -> Response:
    response = _reply(ErrorReply(str(refusal)), ERROR_FORMAT, refusal.status)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


async def _http_error(request: Request, error: Exception) -> Response:
    """Reply to a path that is not there, or a method that it does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 404:
        text = f"there is no {request.url.path!r} here; /openapi.json lists what there is."
    elif status == 405:
        text = f"{request.url.path} does not take the method {request.method}."
    else:
        text = "the request failed."
    response = _reply(ErrorReply(text), ERROR_FORMAT, status)
    response.headers.update(headers or {})
    return response
