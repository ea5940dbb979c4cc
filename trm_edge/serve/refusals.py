"""Refusals: requests that get an error instead of answers, each with its HTTP status.

RequestError
├── BadJsonError         400  the body is not JSON
├── TooSlowError         408  the body did not arrive in time
├── TooLargeError        413  the body, or the number of puzzles, is over a limit
├── WrongTypeError       415  the body is not declared as JSON
├── InvalidRequestError  422  the JSON is not a request, or a puzzle or an option does not fit
├── QueueFullError       429  too many puzzles wait for a slot
├── EngineFailedError    500  the engine failed while it solved the request
├── NotReadyError        503  the server is stopping, its engine failed before, or its replica died
└── TooLateError         504  the time of the request ended before its answers were there
"""

from __future__ import annotations

from typing import ClassVar


class RequestError(Exception):
    """A request that gets an error instead of answers.

    Args:
        message: a sentence for whoever sent it.
        retry_after: seconds after which another try may be worth it.
    """

    status: ClassVar[int] = 500

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadJsonError(RequestError):
    """The body is not JSON."""

    status = 400


class TooSlowError(RequestError):
    """The body did not arrive in time."""

    status = 408


class TooLargeError(RequestError):
    """The body, or the number of puzzles, is over a limit."""

    status = 413


class WrongTypeError(RequestError):
    """The body is not declared as JSON."""

    status = 415


class InvalidRequestError(RequestError):
    """The JSON is not a request, or a puzzle or an option does not fit the model."""

    status = 422


class QueueFullError(RequestError):
    """Too many puzzles wait for a slot."""

    status = 429


class EngineFailedError(RequestError):
    """The engine failed while it solved the request."""

    status = 500


class NotReadyError(RequestError):
    """The server is stopping, its engine failed before, or the replica has died."""

    status = 503


class TooLateError(RequestError):
    """The time of the request ended before its answers were there."""

    status = 504


REFUSALS: tuple[type[RequestError], ...] = (
    BadJsonError,
    TooSlowError,
    TooLargeError,
    WrongTypeError,
    InvalidRequestError,
    QueueFullError,
    EngineFailedError,
    NotReadyError,
    TooLateError,
)
