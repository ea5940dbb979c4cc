"""Solves the body of a request with the service of this process."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from trm_edge.loop.solution import Solution
from trm_edge.serve.refusals import TooLateError
from trm_edge.serve.replies import ANSWERS_FORMAT
from trm_edge.serve.reply import Reply, record_reply
from trm_edge.serve.ticket import Ticket

if TYPE_CHECKING:
    from trm_edge.serve.service import Service


async def solve_body(service: Service, body: bytes, arrived: float) -> Reply:
    """Solve the puzzles of a request. Where this is cancelled, the request is forgotten.

    Args:
        service: an entered one.
        body: JSON, as :class:`~trm_edge.serve.solve_request.SolveRequest`.
        arrived: when the request did, by time.monotonic().

    Raises:
        RequestError: the request is refused, or has failed.
    """
    # Parsing and judging hundreds of puzzles takes long enough to hold up other requests.
    admission = await run_in_threadpool(service.reader.read, body, arrived)
    ticket = admission.ticket
    service.queue.submit(ticket)
    try:
        solutions = await _outcome(ticket, service.limits.seconds)
    finally:
        service.queue.cancel(ticket)
    answers = await run_in_threadpool(service.answers, ticket, solutions, admission.policy)
    service.metrics.count_answers(answers)
    return await run_in_threadpool(record_reply, answers, ANSWERS_FORMAT)


async def _outcome(ticket: Ticket, step_seconds: float) -> list[Solution]:
    """Wait for the solutions of a request.

    Args:
        ticket: of the request.
        step_seconds: that the last step may take once the time of the request is up.

    Raises:
        TooLateError: the time is up, and a puzzle has not begun, or its step does not end.
        RequestError: the request failed.
    """
    done = asyncio.ensure_future(asyncio.wrap_future(ticket.done))
    try:
        await _wait(done, ticket.due - time.monotonic())
        if not done.done():
            if ticket.waiting:
                raise TooLateError(
                    f"{ticket.waiting} of {len(ticket.puzzles)} puzzles had not begun when the "
                    "time was up. Allow more time, or send fewer puzzles."
                )
            # All have begun: their steps end soon, unless the engine hangs.
            await _wait(done, step_seconds)
        if not done.done():
            raise TooLateError("the time was up, and the engine had not ended its step.")
        return done.result()
    finally:
        done.cancel()


async def _wait(done: asyncio.Future[Any], seconds: float) -> None:
    await asyncio.wait((done,), timeout=max(0.0, seconds))
