"""The queue of a server: the puzzles of all requests as one bounded feed of the halting loop.

Slots that become free take a puzzle of each request in turn, so that a request with one puzzle does
not wait until one with hundreds is done.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil

from trm_edge.loop.feed import Feed
from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle
from trm_edge.serve.refusals import NotReadyError, QueueFullError
from trm_edge.serve.ticket import Ticket

_LONGEST_WAIT = 60  # seconds that Retry-After asks for at most
_REMEMBERED = 256  # answers from whose times the rate is taken
STOPPING = "the server is stopping. Send the request to another one, or try again later."


class RequestQueue(Feed[Puzzle]):
    """The puzzles of all requests; any thread may add some, and the loop's thread takes them.

    Args:
        limit: puzzles that wait for a slot at most.
        on_begin: called with the seconds that a puzzle has waited when it gets a slot.
    """

    live = True
    reacts = True

    def __init__(self, limit: int, on_begin: Callable[[float], None] | None = None) -> None:
        self.limit = limit
        self._on_begin = on_begin
        self._changed = threading.Condition()
        self._waiting: OrderedDict[Ticket, None] = OrderedDict()  # with puzzles that have not begun
        self._waiting_count = 0
        self._open: set[Ticket] = set()  # without an outcome
        self._in_flight: dict[int, tuple[Ticket, int]] = {}  # by the number of the puzzle
        self._taken = 0
        self._refusal: str | None = None  # why nothing is taken any more
        self._interrupted = False
        self._last_progress = time.monotonic()
        self._finished_at: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def waiting(self) -> int:
        """Number of puzzles that wait for a slot."""
        return self._waiting_count

    @property
    def in_flight(self) -> int:
        """Number of puzzles that have begun and have no answer."""
        return len(self._in_flight)

    @property
    def open_requests(self) -> int:
        """Number of requests without an outcome."""
        return len(self._open)

    def submit(self, ticket: Ticket) -> None:
        """Add the puzzles of a request, all or none.

        Args:
            ticket: of the request.

        Raises:
            NotReadyError: the server is stopping, or its engine failed.
            QueueFullError: so many puzzles wait that these have no room.
        """
        with self._changed:
            if self._refusal is not None:
                raise NotReadyError(self._refusal, retry_after=1)
            if self._waiting_count + len(ticket.puzzles) > self.limit:
                raise QueueFullError(
                    f"{self._waiting_count} puzzles wait for a slot already, of {self.limit} that "
                    "may. Try again later.",
                    retry_after=self._expected_wait(),
                )
            self._waiting[ticket] = None
            self._waiting_count += len(ticket.puzzles)
            self._open.add(ticket)
            self._changed.notify_all()

    def cancel(self, ticket: Ticket) -> None:
        """Forget a request: its puzzles are not begun, and those in slots are given up.

        Args:
            ticket: of the request; one that is done may be among them.
        """
        with self._changed:
            ticket.is_cancelled = True
            if ticket in self._waiting:
                del self._waiting[ticket]
                self._waiting_count -= ticket.waiting
            self._open.discard(ticket)
            self._changed.notify_all()

    def take(self) -> Puzzle | None:
        """Take a puzzle of the request whose turn it is; None where none waits."""
        with self._changed:
            if not self._waiting:
                return None
            ticket = next(iter(self._waiting))
            position, puzzle = ticket.begin()
            self._waiting_count -= 1
            if ticket.waiting:
                self._waiting.move_to_end(ticket)
            else:
                del self._waiting[ticket]
            self._in_flight[self._taken] = (ticket, position)
            self._taken += 1
            self._last_progress = time.monotonic()
        if self._on_begin is not None:
            self._on_begin(self._last_progress - ticket.arrived)
        return puzzle

    def wait(self) -> bool:
        """Wait for a puzzle or an interrupt; False once nothing waits and no more will come."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting or self._refusal is not None or self._interrupted
            )
            if self._waiting or self._interrupted:
                self._interrupted = False
                return True
            return False

    def interrupt(self) -> None:
        """Let :meth:`wait` return True at once, though no puzzle is there."""
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def ready(self) -> int:
        """Count the puzzles that wait to be taken."""
        return self._waiting_count

    def is_wanted(self, number: int) -> bool:
        """Tell whether whoever sent a puzzle still waits for its answer.

        Args:
            number: of the puzzle, counted from 0 as they are taken.
        """
        self._last_progress = time.monotonic()
        ticket, _ = self._in_flight[number]
        if ticket.is_cancelled:
            del self._in_flight[number]
            return False
        return True

    def due(self, number: int) -> float:
        """Return when the answer to a puzzle is due, by :func:`time.monotonic`.

        Args:
            number: of the puzzle.
        """
        return self._in_flight[number][0].due

    def options(self, number: int) -> PuzzleOptions:
        """Return the options of the request that a puzzle came with.

        Args:
            number: of the puzzle.
        """
        return self._in_flight[number][0].options

    def finish(self, solution: Solution) -> None:
        """Hand a solution to the request that its puzzle came with.

        Args:
            solution: with the number of the puzzle as its index.
        """
        ticket, position = self._in_flight.pop(solution.index)
        self._last_progress = time.monotonic()
        self._finished_at.append(self._last_progress)
        if ticket.deliver(position, solution):
            with self._changed:
                self._open.discard(ticket)

    def close(self, refusal: str = STOPPING) -> None:
        """Take no more requests; those that are there are still solved.

        Args:
            refusal: a sentence for those that come.
        """
        with self._changed:
            if self._refusal is None:
                self._refusal = refusal
            self._changed.notify_all()

    def fail(self, error: Exception, refusal: str) -> None:
        """End all requests that are there, and take no more.

        Args:
            error: what whoever waits gets.
            refusal: a sentence for requests that come.
        """
        with self._changed:
            self._refusal = refusal
            tickets = list(self._open)
            for ticket in tickets:
                ticket.is_cancelled = True
            self._open.clear()
            self._waiting.clear()
            self._waiting_count = 0
            self._changed.notify_all()
        for ticket in tickets:
            ticket.fail(error)

    def has_stalled(self, seconds: float) -> bool:
        """Tell whether puzzles are in slots, but no step has ended for a while.

        Args:
            seconds: that count as a while.
        """
        return self.in_flight > 0 and time.monotonic() - self._last_progress > seconds

    def _expected_wait(self) -> int:
        """Seconds until what waits now has begun, from the rate of the last answers."""
        times = self._finished_at
        if len(times) < 2 or times[-1] <= times[0]:
            return 1
        rate = (len(times) - 1) / (times[-1] - times[0])
        return min(max(1, ceil(self._waiting_count / rate)), _LONGEST_WAIT)
