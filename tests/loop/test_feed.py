"""Feeds: puzzles that come in their own time, and answers that do not wait for them."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.loop.test_solver import fake_puzzles
from trm_edge.backends.fake import FakeBackend
from trm_edge.errors import PuzzleError
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.feed import IterableFeed, LiveFeed, as_feed
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import Augmentation

IDENTITY = Augmentation.identity(81, 11)


def received(inbox: queue.Queue[Puzzle | None]) -> Iterator[Puzzle]:
    """Puzzles from a queue, as from a socket; None ends them."""
    while (puzzle := inbox.get()) is not None:
        yield puzzle


@pytest.mark.parametrize("batch", [1, 2, 32])
@pytest.mark.parametrize("attempts", [1, 3])
def test_every_answer_comes_before_the_next_puzzle(batch: int, attempts: int) -> None:
    inbox: queue.Queue[Puzzle | None] = queue.Queue()
    puzzles = fake_puzzles(5)
    with Solver(FakeBackend(), batch=batch) as solver:
        feed = LiveFeed(received(inbox))
        if attempts > 1:
            exploration = Exploration(attempts, [IDENTITY] * attempts)
            solutions = Rollouts(solver, exploration).solve(feed, ordered=True)
        else:
            solutions = solver.solve(feed, ordered=True)
        for index, puzzle in enumerate(puzzles):
            inbox.put(puzzle)
            solution = next(solutions)
            assert solution.index == index
            np.testing.assert_array_equal(solution.answer, puzzle.tokens)
        inbox.put(None)
        assert next(solutions, None) is None


def test_a_batch_of_one_answers_an_iterable_before_it_asks_for_more() -> None:
    answered = 0

    def waiting() -> Iterator[Puzzle]:
        for number, puzzle in enumerate(fake_puzzles(4)):
            assert answered == number
            yield puzzle

    with Solver(FakeBackend(), batch=1) as solver:
        for _ in solver.solve(waiting()):
            answered += 1
    assert answered == 4


@pytest.mark.parametrize("limit", [1, 8, 64])
def test_a_live_feed_gives_the_answers_of_a_list(limit: int) -> None:
    puzzles = fake_puzzles(300)
    with Solver(FakeBackend(), batch=16) as solver:
        expected = list(solver.solve(puzzles, ordered=True))
        actual = list(solver.solve(LiveFeed(puzzles, limit=limit), ordered=True))
    assert [s.index for s in actual] == list(range(300))
    assert [s.steps for s in actual] == [s.steps for s in expected]


def test_a_group_that_began_small_grows_to_its_slots() -> None:
    class Backlog(IterableFeed[Puzzle]):
        live = True
        waiting = 0

        def take(self) -> Puzzle | None:
            return super().take() if self.waiting else None

        def wait(self) -> bool:
            self.waiting = 1 if not self.waiting else 100
            return super().wait()

        def ready(self) -> int:
            return self.waiting

    feed = Backlog(fake_puzzles(60))
    sizes = []
    with Solver(FakeBackend(), batch=8, watch=lambda i, _: sizes.append(len(i))) as solver:
        assert len(list(solver.solve(feed))) == 60
    assert max(sizes) == 8


def test_an_error_comes_after_the_puzzles_before_it() -> None:
    def failing() -> Iterator[Puzzle]:
        yield from fake_puzzles(3)
        raise PuzzleError("the source failed.")

    with Solver(FakeBackend(), batch=8) as solver:
        solutions = solver.solve(LiveFeed(failing()), ordered=True)
        assert [next(solutions).index for _ in range(3)] == [0, 1, 2]
        with pytest.raises(PuzzleError, match="the source failed"):
            next(solutions)


def test_no_more_is_read_ahead_than_the_limit() -> None:
    read = []

    def counted() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    feed = LiveFeed(counted(), limit=5)
    assert feed.wait()
    assert [feed.take() for _ in range(1)] == [0]
    assert len(read) <= 7


def test_a_closed_feed_lets_its_reader_go() -> None:
    ended = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            ended.set()

    threads = set(threading.enumerate())
    feed: LiveFeed[int] = LiveFeed(endless(), limit=3)
    assert feed.wait()
    assert feed.take() == 0
    feed.close()
    for reader in set(threading.enumerate()) - threads:
        reader.join(60)
    assert ended.wait(60)
    assert not feed.wait()
    assert feed.take() is None


def test_a_feed_that_is_closed_first_reads_nothing() -> None:
    feed = LiveFeed(iter(["never"]))
    feed.close()
    assert not feed.wait()
    assert feed.take() is None


def test_a_feed_stays_what_it_is() -> None:
    feed = as_feed([1, 2])
    assert as_feed(feed) is feed
    assert [feed.wait(), feed.take(), feed.take(), feed.take(), feed.wait()] == [
        True,
        1,
        2,
        None,
        False,
    ]


def test_one_puzzle_in_one_answer_out() -> None:
    (puzzle,) = fake_puzzles(1)
    with Solver(FakeBackend(), batch=4) as solver:
        for given in (puzzle, puzzle.tokens, puzzle.tokens.tolist()):
            np.testing.assert_array_equal(solver.solve_one(given).answer, puzzle.tokens)
        with pytest.raises(PuzzleError, match=r"must have shape \(81,\), but got \(3,\)"):
            solver.solve_one([1, 2, 3])
