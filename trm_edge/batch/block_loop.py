"""Solves blocks of rows in one halting loop; a puzzle that fails takes no other with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from trm_edge.batch.answers import AnswerMaker
from trm_edge.batch.row_feed import RowFeed, Ticket
from trm_edge.errors import BackendError
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver

logger = logging.getLogger(__name__)

MOST_FAILURES = 8  # puzzles on which the engine fails one after another
_FAILURES = (BackendError, MemoryError)


class BlockLoop:
    """Turns blocks of rows into blocks of answers.

    The slots are refilled across blocks, so the end of one costs nothing. Where the engine fails,
    the puzzles in its slots are solved again in ever smaller groups, until those that it fails on
    are found. An engine that fails on everything ends the loop.

    Args:
        solver: an activated solver, with or without tries.
        maker: makes the answers.
    """

    def __init__(self, solver: Solver | Rollouts, maker: AnswerMaker) -> None:
        self._solver = solver
        self._maker = maker
        self._failures = 0  # since the last solution

    def solve(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Solve blocks of any number; few of them are in memory at a time.

        Args:
            blocks: rows with the columns of ``ROW_SCHEMA``; drawn when slots become free.

        Returns:
            For each block its answers, with the columns of ``ANSWER_SCHEMA``, in the same order.

        Raises:
            TrmEdgeError: reading the blocks failed; after the answers to those before.
            BackendError: the engine fails whatever it is given.
            CancelledError: the solver was cancelled.
        """
        feed = RowFeed(self._maker.task, blocks)
        while not feed.is_exhausted:
            try:
                for solution in self._solver.solve(feed, ordered=True):
                    self._failures = 0
                    feed.finish(solution)
                    yield from self._answers(feed)
            except _FAILURES as error:
                in_flight = list(feed.in_flight)
                feed.in_flight.clear()
                self._solve_apart(in_flight, error)
            yield from self._answers(feed)
        yield from self._answers(feed)
        feed.check()

    def _answers(self, feed: RowFeed) -> Iterator[pa.Table]:
        for block in feed.done():
            yield self._maker.table(block.rows, block.entries, block.results)

    def _solve_apart(self, tickets: Sequence[Ticket], error: Exception) -> None:
        """Solve puzzles with which the engine failed, by halves."""
        if len(tickets) <= 1:
            for ticket in tickets:
                self._fail(ticket, error)
            return
        logger.info("the engine failed with %d puzzles, which are solved in parts", len(tickets))
        middle = len(tickets) // 2
        for half in (tickets[:middle], tickets[middle:]):
            try:
                solutions = self._solved(half)
            except _FAILURES as half_error:
                self._solve_apart(half, half_error)
                continue
            self._failures = 0
            for ticket, solution in zip(half, solutions, strict=True):
                ticket.finish(solution)

    def _solved(self, tickets: Sequence[Ticket]) -> list[Solution]:
        return list(self._solver.solve([ticket.puzzle for ticket in tickets], ordered=True))

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            raise BackendError(
                f"the engine failed on {self._failures} puzzles one after another, so it is not "
                f"the puzzles: {_reason(error)} What was solved before is written; the same "
                "command goes on."
            ) from error
        ticket.finish(f"the engine failed: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
