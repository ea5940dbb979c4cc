"""Termination signals: SIGTERM cleans up as Ctrl-C does, and neither cuts a short change in two."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

# Signals that ask a process to end and leave it the time to clean up.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Terminated(KeyboardInterrupt):
    """The process was asked to end; passes through everything that Ctrl-C passes through.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of an interrupted process: 128 and the signal's number.

    Args:
        error: what ended the process; anything but :class:`Terminated` counts as Ctrl-C.
    """
    number = error.number if isinstance(error, Terminated) else signal.SIGINT
    return 128 + int(number)


@contextmanager
def signals_raise() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise :class:`Terminated` until the block ends.

    A signal that is ignored, as SIGHUP is under nohup, or that already has a handler is left alone.
    """
    replaced: list[int] = []
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _raise)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


class DeferredSignals:
    """Keeps the first signal back until the block ends, so that a change is made whole.

    A context manager. A second signal is not kept back. Does nothing outside the main thread, where
    Python delivers no signals.
    """

    def __init__(self) -> None:
        self._pending: int | None = None
        self._handlers: dict[int, Any] = {}

    @property
    def pending(self) -> bool:
        """Whether a signal is waiting."""
        return self._pending is not None

    def __enter__(self) -> DeferredSignals:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                # None: installed by other than Python; an ignored signal stays ignored.
                if handler is not None and handler != signal.SIG_IGN:
                    self._handlers[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        # An error that is on its way already ends the work.
        if error is None:
            self.deliver()

    def deliver(self) -> None:
        """Deliver the signal that is waiting, if there is one.

        Raises:
            KeyboardInterrupt: Ctrl-C or, as :class:`Terminated`, another signal was waiting.
        """
        number = self._pending
        self._pending = None
        if number is not None:
            self._pass_on(number, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._pending is None:
            self._pending = number
        else:
            self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        handler = self._handlers[number]
        if callable(handler):
            handler(number, frame)
        else:
            signal.signal(number, handler)
            os.kill(os.getpid(), number)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)
