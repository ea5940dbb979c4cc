"""A reply to a request: what the process that solves it hands to the one that listens."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from trm_edge import records
from trm_edge.serve.refusals import EngineFailedError, RequestError
from trm_edge.serve.replies import ERROR_FORMAT, ErrorReply

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """A status and a body; it can be pickled.

    Args:
        status: of HTTP.
        content: JSON.
        retry_after: seconds after which another try may be worth it; None: no such header.
    """

    status: int
    content: bytes
    retry_after: int | None = None


def record_reply(record: Any, kind: records.Format, status: int = 200) -> Reply:
    """Reply with a record.

    Args:
        record: of this project.
        kind: its format.
        status: of HTTP.
    """
    return Reply(status, records.encode(record, kind, indent=0).encode())


def refusal_reply(refusal: RequestError) -> Reply:
    """Reply to a request that is refused.

    Args:
        refusal: why.
    """
    error = record_reply(ErrorReply(str(refusal)), ERROR_FORMAT, refusal.status)
    return Reply(error.status, error.content, refusal.retry_after)


async def reply_to(solving: Awaitable[Reply]) -> Reply:
    """Wait for a reply; an error becomes one, too.

    Args:
        solving: the request at work.
    """
    try:
        return await solving
    except RequestError as refusal:
        return refusal_reply(refusal)
    except Exception:
        logger.exception("a request to /solve failed")
        return refusal_reply(EngineFailedError("the server failed; its log says why."))
