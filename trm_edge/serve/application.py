"""The routes of a server, as an ASGI application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from trm_edge.serve.refusals import (
    NotReadyError,
    QueueFullError,
    TooLargeError,
    TooSlowError,
    WrongTypeError,
)
from trm_edge.serve.replies import ERROR_FORMAT, HEALTH_FORMAT, SERVED_FORMAT, ErrorReply
from trm_edge.serve.reply import Reply, record_reply, reply_to
from trm_edge.serve.request_handler import RequestHandler
from trm_edge.serve.request_metrics import CONTENT_TYPE

JSON = "application/json"
CLIENT_LEFT = 499  # nobody gets it; counted alone


def make_application(handler: RequestHandler) -> Starlette:
    """Make the application that hands requests to a service, or to replicas on a Ray cluster.

    Args:
        handler: an entered one.
    """
    endpoint = SolveEndpoint(handler)
    document = handler.openapi()

    async def healthz(request: Request) -> Response:
        health = handler.health()
        is_alive = health.status in ("ready", "stopping", "replacing")
        return _response(record_reply(health, HEALTH_FORMAT, 200 if is_alive else 503))

    async def readyz(request: Request) -> Response:
        health = handler.health()
        is_ready = health.status == "ready"
        return _response(record_reply(health, HEALTH_FORMAT, 200 if is_ready else 503))

    async def metrics(request: Request) -> Response:
        return Response(await handler.metrics_text(), media_type=CONTENT_TYPE)

    async def bundle(request: Request) -> Response:
        return _response(record_reply(handler.description(), SERVED_FORMAT))

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
        handler: solves the requests.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._active = 0  # requests whose body is read, or that wait for their answers

    async def solve(self, request: Request) -> Response:
        """Solve the puzzles of a request.

        Args:
            request: its body is JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
        """
        arrived = time.monotonic()
        self._active += 1
        try:
            response = _response(await reply_to(self._reply(request, arrived)))
        finally:
            self._active -= 1
        self._handler.count_reply(response.status_code, time.monotonic() - arrived)
        return response

    async def _reply(self, request: Request, arrived: float) -> Reply:
        self._check_room()
        try:
            body = await self._body(request)
        except ClientDisconnect:
            return Reply(CLIENT_LEFT, b"")
        solving = asyncio.ensure_future(self._handler.solve(body, arrived))
        left = asyncio.ensure_future(_wait_until_left(request))
        try:
            await asyncio.wait((solving, left), return_when=asyncio.FIRST_COMPLETED)
            if solving.done():
                return solving.result()
            return Reply(CLIENT_LEFT, b"")
        finally:
            left.cancel()
            if solving.cancel():
                await asyncio.wait((solving,))  # it forgets the request

    def _check_room(self) -> None:
        """Refuse a request whose body need not be read.

        Raises:
            NotReadyError: nothing is solved any more.
            QueueFullError: as many requests are there as there may be puzzles.
        """
        status = self._handler.status
        if status != "ready":
            raise NotReadyError(f"the server is not ready: {status}.", retry_after=1)
        most = self._handler.most_requests
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
        limits = self._handler.limits
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        try:
            return await asyncio.wait_for(_read(request, limits.body_bytes), limits.seconds)
        except asyncio.TimeoutError as error:
            raise TooSlowError(
                f"the body did not arrive within {limits.seconds:g} seconds."
            ) from error


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


def _response(reply: Reply) -> Response:
    response = Response(reply.content, reply.status, media_type=JSON)
    if reply.retry_after is not None:
        response.headers["Retry-After"] = str(reply.retry_after)
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
    response = _response(record_reply(ErrorReply(text), ERROR_FORMAT, status))
    response.headers.update(headers or {})
    return response
