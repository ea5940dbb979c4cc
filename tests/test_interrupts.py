"""SIGTERM passes as Ctrl-C does, and a short change is not cut in two."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from trm_edge.interrupts import DeferredSignals, Terminated, exit_code, signals_raise

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_raised_and_its_handler_is_restored(number: int) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # nohup has it ignored
    try:
        with pytest.raises(KeyboardInterrupt) as caught, signals_raise():
            send(number)
        assert isinstance(caught.value, Terminated)
        assert exit_code(caught.value) == 128 + number
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_ctrl_c_has_exit_code_130() -> None:
    assert exit_code(KeyboardInterrupt()) == 130
    assert exit_code(None) == 130


def test_a_signal_that_is_ignored_or_handled_is_left_alone() -> None:
    received = []
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    terminate = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with signals_raise(), DeferredSignals() as deferred:
            send(signal.SIGHUP)
            send(signal.SIGTERM)
            assert deferred.pending
            assert received == []
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, hangup)
        signal.signal(signal.SIGTERM, terminate)


@pytest.fixture(autouse=True)
def interrupts_raise() -> Iterator[None]:
    """A background job starts with SIGINT ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_the_block(number: int) -> None:
    done = []

    def change() -> None:
        with DeferredSignals():
            send(number)
            done.append("whole")
        done.append("never")

    with signals_raise(), pytest.raises(KeyboardInterrupt):
        change()
    assert done == ["whole"]


def test_a_second_signal_does_not_wait() -> None:
    done = []

    def change() -> None:
        with DeferredSignals():
            send(signal.SIGINT)
            send(signal.SIGINT)
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        change()
    assert done == []


def test_an_error_in_the_block_comes_first() -> None:
    def change() -> None:
        with DeferredSignals():
            send(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()


def test_other_threads_change_no_handler() -> None:
    handlers = []

    def work() -> None:
        with signals_raise(), DeferredSignals():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]
