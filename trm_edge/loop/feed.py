"""Feeds: items that the loop takes when it has room for them, and that may not be there yet.

A list or generator always has its next item, or is at its end. Somebody who types, or a program at
the other end of a pipe, has the next item later, perhaps only after seeing the last answer. The
loop must not wait for it while a puzzle is being solved, or while an answer is not handed out.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Generic, TypeVar

from trm_edge.config import ModelConfig
from trm_edge.puzzle import Puzzle, check_puzzle

if TYPE_CHECKING:
    from trm_edge.loop.puzzle_options import PuzzleOptions

T = TypeVar("T")


class Feed(ABC, Generic[T]):
    """A stream of items that are taken without waiting.

    Attributes:
        live: items come in their own time, and perhaps only after the answer to the last one.
        reacts: the next item, and which items are wanted, may depend on the answers so far.
        is_checked: every item fits the model, so that the loop need not look at it again.
    """

    live: bool = False
    reacts: bool = False
    is_checked: bool = False

    @abstractmethod
    def take(self) -> T | None:
        """Take the next item; None where there is none yet, or none any more."""

    @abstractmethod
    def wait(self) -> bool:
        """Wait until an item can be taken, or for an interrupt; False at the end of the stream."""

    def interrupt(self) -> None:
        """Let :meth:`wait` return True at once, though no item is there; from another thread."""

    def ready(self) -> int:
        """Count the items that wait to be taken, where the feed is live."""
        return 0

    def is_wanted(self, number: int) -> bool:
        """Tell whether the answer to an item is still needed.

        Args:
            number: of the item, counted from 0 as they are taken.
        """
        return True

    def due(self, number: int) -> float:
        """Return when the answer to an item is due, by :func:`time.monotonic`.

        Args:
            number: of the item, counted from 0 as they are taken.
        """
        return inf

    def options(self, number: int) -> PuzzleOptions | None:
        """Return what is asked for an item alone; None: it is solved as all the others are.

        Args:
            number: of the item, counted from 0 as they are taken.
        """
        return None


class IterableFeed(Feed[T]):
    """A feed from an iterable, which is asked for an item only when one is taken.

    Args:
        items: any iterable.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._next: deque[T] = deque()
        self._ended = False

    def take(self) -> T | None:
        """Take the next item; None at the end."""
        if self._next:
            return self._next.popleft()
        if self._ended:
            return None
        for item in self._items:
            return item
        self._ended = True
        return None

    def wait(self) -> bool:
        """Ask for the next item; False at the end of the stream."""
        if not self._next:
            item = self.take()
            if item is None:
                return False
            self._next.append(item)
        return True


class LiveFeed(Feed[T]):
    """A feed from an iterable that blocks, as one that reads from a pipe or a socket does.

    A thread reads ahead, a bounded number of items. An exception of the iterable is raised once all
    items before it are taken. The thread cannot be stopped while the iterable blocks; it does not
    keep the process from ending. Whoever stops early calls :meth:`close`, which lets it go.

    Args:
        items: any iterable; it is used by the thread alone.
        limit: number of items that are read ahead.

    >>> feed = LiveFeed(["a", "b"])
    >>> [feed.wait(), feed.take(), feed.wait(), feed.take(), feed.wait()]
    [True, 'a', True, 'b', False]
    """

    live = True

    def __init__(self, items: Iterable[T], *, limit: int = 64) -> None:
        self._items: Iterable[T] = items
        self._limit = limit
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self._started = False
        self._interrupted = False

    def take(self) -> T | None:
        """Take the next item; None where there is none yet, or none any more."""
        self._start()
        with self._changed:
            if self._queue:
                item = self._queue.popleft()
                self._changed.notify_all()
                return item
        return None

    def wait(self) -> bool:
        """Wait until an item can be taken, or for an interrupt; False at the end of the stream.

        Raises:
            BaseException: the one that the iterable raised.
        """
        self._start()
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ended or self._interrupted)
            if self._queue or self._interrupted:
                self._interrupted = False
                return True
        if self._error is not None:
            error = self._error
            self._error = None
            raise error
        return False

    def interrupt(self) -> None:
        """Let :meth:`wait` return True at once, though no item is there."""
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def ready(self) -> int:
        """Count the items that wait to be taken."""
        return len(self._queue)

    def close(self) -> None:
        """End the stream: nothing more is read or handed out, and the thread ends."""
        with self._changed:
            self._ended = True
            self._started = True
            self._items = ()
            self._queue.clear()
            self._changed.notify_all()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            threading.Thread(target=self._read, name="trm-edge-feed", daemon=True).start()

    def _read(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._queue) < self._limit or self._ended)
                    if self._ended:
                        return
                    self._queue.append(item)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again by wait()
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def as_feed(items: Iterable[T] | Feed[T]) -> Feed[T]:
    """Make a feed of an iterable; a feed is returned as it is.

    Args:
        items: an iterable or a feed.
    """
    return items if isinstance(items, Feed) else IterableFeed(items)


class Intake:
    """Numbers the puzzles of a feed and refuses those that do not fit the model.

    Args:
        feed: puzzles.
        config: the model.
    """

    def __init__(self, feed: Feed[Puzzle], config: ModelConfig) -> None:
        self.feed = feed
        self.config = config
        self._count = 0

    def take(self) -> tuple[int, Puzzle] | None:
        """Take the next puzzle and its number, from 0; None where there is none.

        Raises:
            PuzzleError: the puzzle does not fit the model; names its number.
        """
        puzzle = self.feed.take()
        if puzzle is None:
            return None
        index = self._count
        if not self.feed.is_checked:
            check_puzzle(puzzle, index, self.config)
        self._count += 1
        return index, puzzle
