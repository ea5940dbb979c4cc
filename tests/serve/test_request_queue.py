"""The queue: bounded, in turn, and nothing lost when requests leave or the server stops."""

from __future__ import annotations

import threading
import time
from math import inf

import numpy as np
import pytest

from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle
from trm_edge.serve.refusals import EngineFailedError, NotReadyError, QueueFullError
from trm_edge.serve.request_queue import RequestQueue
from trm_edge.serve.ticket import Ticket

ONE_LOGIT = np.zeros(1, np.float32)


def ticket(*cells: int) -> Ticket:
    """A request whose puzzles have one cell each."""
    puzzles = [Puzzle(np.array([cell], np.int32)) for cell in cells]
    return Ticket(puzzles, PuzzleOptions(), inf)


def taken(queue: RequestQueue, count: int) -> list[int]:
    """The cells of the next puzzles."""
    cells = []
    for _ in range(count):
        puzzle = queue.take()
        assert puzzle is not None
        cells.append(int(puzzle.tokens[0]))
    return cells


def solution(number: int, cell: int = 0) -> Solution:
    answer = np.array([cell], np.uint8)
    return Solution(number, answer, 1, True, q_halt=ONE_LOGIT, q_continue=ONE_LOGIT)


def test_requests_take_turns() -> None:
    queue = RequestQueue(10)
    for request in (ticket(1, 2, 3, 4), ticket(5), ticket(6, 7)):
        queue.submit(request)
    assert queue.ready() == queue.waiting == 7
    assert taken(queue, 7) == [1, 5, 6, 2, 7, 3, 4]
    assert queue.take() is None
    assert (queue.waiting, queue.in_flight) == (0, 7)


def test_answers_reach_their_request_in_its_order() -> None:
    queue = RequestQueue(10)
    first = ticket(1, 2)
    second = ticket(3)
    queue.submit(first)
    queue.submit(second)
    assert taken(queue, 3) == [1, 3, 2]
    for number, cell in ((2, 20), (1, 30), (0, 10)):
        assert not first.done.done()
        queue.finish(solution(number, cell))
    assert [(s.index, int(s.answer[0])) for s in first.done.result()] == [(0, 10), (1, 20)]
    assert [int(s.answer[0]) for s in second.done.result()] == [30]
    assert (queue.in_flight, queue.open_requests) == (0, 0)


def test_a_request_has_room_as_a_whole_or_is_refused() -> None:
    queue = RequestQueue(3)
    queue.submit(ticket(1, 2))
    with pytest.raises(QueueFullError, match="2 puzzles wait for a slot already, of 3") as caught:
        queue.submit(ticket(3, 4))
    assert caught.value.retry_after == 1
    assert queue.waiting == 2
    queue.submit(ticket(3))
    taken(queue, 1)
    queue.submit(ticket(4))
    assert queue.waiting == 3


def test_retry_after_follows_the_rate_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = RequestQueue(40)
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for number in range(5):  # one every two seconds
        queue.submit(ticket(number))
        taken(queue, 1)
        clock[0] += 2
        queue.finish(solution(number))
    for more, seconds in ((12, 24), (28, 60)):
        queue.submit(ticket(*range(more)))
        with pytest.raises(QueueFullError) as caught:
            queue.submit(ticket(*range(41)))
        assert caught.value.retry_after == seconds


def test_a_cancelled_request_leaves_no_trace() -> None:
    queue = RequestQueue(4)
    gone = ticket(1, 2, 3)
    stays = ticket(4)
    queue.submit(gone)
    queue.submit(stays)
    assert taken(queue, 1) == [1]
    queue.cancel(gone)
    assert queue.waiting == 1
    assert not queue.is_wanted(0)  # its slot is given up
    assert taken(queue, 1) == [4]
    assert queue.is_wanted(1)
    queue.finish(solution(1))
    assert stays.done.done()
    assert (queue.waiting, queue.in_flight, queue.open_requests) == (0, 0, 0)


def test_an_answer_to_whoever_has_left_is_dropped() -> None:
    queue = RequestQueue(1)
    gone = ticket(1)
    queue.submit(gone)
    taken(queue, 1)
    gone.done.cancel()
    queue.finish(solution(0))
    assert (queue.in_flight, queue.open_requests) == (0, 0)


def test_closing_refuses_new_requests_and_keeps_the_others() -> None:
    queue = RequestQueue(4)
    request = ticket(1)
    queue.submit(request)
    queue.close()
    with pytest.raises(NotReadyError, match="the server is stopping"):
        queue.submit(ticket(2))
    assert queue.wait()
    assert taken(queue, 1) == [1]
    assert not queue.wait()
    queue.finish(solution(0))
    assert len(request.done.result()) == 1


def test_a_failure_ends_every_request() -> None:
    queue = RequestQueue(4)
    requests = [ticket(1), ticket(2, 3)]
    for request in requests:
        queue.submit(request)
    taken(queue, 1)
    queue.fail(EngineFailedError("it broke."), "the engine has failed.")
    for request in requests:
        with pytest.raises(EngineFailedError, match="it broke"):
            request.done.result(timeout=0)
    assert queue.take() is None
    assert not queue.is_wanted(0)
    with pytest.raises(NotReadyError, match="the engine has failed"):
        queue.submit(ticket(4))
    queue.close()  # the reason stays
    with pytest.raises(NotReadyError, match="the engine has failed"):
        queue.submit(ticket(4))


def test_waiting_ends_with_a_puzzle_an_interrupt_or_the_close() -> None:
    for wake, outcome in (
        (lambda queue: queue.submit(ticket(1)), True),
        (RequestQueue.interrupt, True),
        (RequestQueue.close, False),
    ):
        queue = RequestQueue(1)
        outcomes: list[bool] = []
        thread = threading.Thread(target=lambda: outcomes.append(queue.wait()))  # noqa: B023
        thread.start()
        wake(queue)
        thread.join(60)
        assert outcomes == [outcome]


def test_stalling_is_work_without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    waits: list[float] = []
    queue = RequestQueue(4, waits.append)
    clock[0] += 50
    assert not queue.has_stalled(1)  # nothing to do
    queue.submit(ticket(1))
    clock[0] += 3
    taken(queue, 1)
    assert waits == [3]
    clock[0] += 2
    assert queue.has_stalled(1)
    assert queue.is_wanted(0)
    assert not queue.has_stalled(1)
