"""Turns: one stream of puzzles at a time uses a solver, and another thread can cancel it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trm_edge.errors import BackendError, CancelledError
from trm_edge.loop.feed import Feed


class Turn:
    """The use that one stream makes of a solver.

    Args:
        feed: its puzzles.
    """

    def __init__(self, feed: Feed[Any]) -> None:
        self._feed = feed
        self._is_cancelled = False

    def cancel(self) -> None:
        """Let the stream end after its current step, or at once where it waits for a puzzle."""
        self._is_cancelled = True
        self._feed.interrupt()

    def check(self) -> None:
        """Refuse to go on once the stream is cancelled.

        Raises:
            CancelledError: :meth:`cancel` was called.
        """
        if self._is_cancelled:
            raise CancelledError("the solver was cancelled.")


class Turns:
    """Gives a solver to the stream that began last.

    Two streams would overwrite each other's carries, and both would end with wrong answers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while a stream computes, not while its caller does
        self._latest: Turn | None = None

    def begin(self, turn: Turn) -> None:
        """Begin a stream; the one before it cannot go on.

        Args:
            turn: of the new stream.

        Raises:
            BackendError: the one before it is computing, in another thread or further up the stack.
        """
        with self._exclusive():
            self._latest = turn

    @contextmanager
    def hold(self, turn: Turn) -> Iterator[None]:
        """Compute for a stream.

        Args:
            turn: of the stream.

        Raises:
            BackendError: another stream has begun since, or is computing.
        """
        with self._exclusive():
            if self._latest is not turn:
                raise BackendError(
                    "another stream was begun with this solver, so this one cannot go on. Finish "
                    "a stream before you begin the next, or open a solver for each."
                )
            yield

    def end(self, turn: Turn) -> None:
        """End a stream.

        Args:
            turn: of the stream.
        """
        if self._latest is turn:
            self._latest = None

    def cancel(self) -> None:
        """Cancel the stream that began last, where it has not ended."""
        turn = self._latest
        if turn is not None:
            turn.cancel()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self._lock.acquire(blocking=False):
            raise BackendError(
                "the solver is at work already. Let one thread use it at a time, or open a solver "
                "for each."
            )
        try:
            yield
        finally:
            self._lock.release()
