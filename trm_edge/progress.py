"""Progress of long work: a callable that wraps an iterable, silent by default."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from trm_edge.console import error_console
from trm_edge.printable import printable, shortened

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

T = TypeVar("T")
LOG_SECONDS = 15.0  # between two lines where there are no bars
_LABEL = 100  # characters


class Track(Protocol):
    """A callable that wraps an iterable and reports each item it passes on."""

    def __call__(
        self, items: Iterable[T], description: str, total: int | None = None
    ) -> Iterable[T]:
        """Pass the items on and report each.

        Args:
            items: the work; :class:`Metered` where its progress shows between two items.
            description: a few words shown beside the count.
            total: number of items, where it is known.

        Returns:
            The same items in the same order.
        """
        ...


class Metered(Generic[T]):
    """Items with a unit, whose progress shows before an item is there.

    The puzzles of a batch that take the same number of steps are all solved at once; the steps
    tell how far they are.

    Args:
        items: the work.
        unit: what an item is, in the plural.
        done: returns how many items the work so far is worth; None: those that were passed on.
        shows_rate: items a second are shown, too.
        counts_items: an item that was passed on counts as one at least; False where ``done`` alone
            tells how far the work is, such as seconds of steps, or steps that an earlier run made.
        estimate: returns about how many items there are, or None as long as nothing is known; asked
            again and again where the work has no total.
    """

    def __init__(
        self,
        items: Iterable[T],
        unit: str,
        done: Callable[[], float] | None = None,
        *,
        shows_rate: bool = False,
        counts_items: bool = True,
        estimate: Callable[[], float | None] | None = None,
    ) -> None:
        self.unit = unit
        self.done = done
        self.counts_items = counts_items
        self.shows_rate = shows_rate
        self.estimate = estimate
        self._items = items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)


def silent(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Report nothing: the default of every ``track`` parameter.

    Args:
        items: the work.
        description: ignored.
        total: ignored.

    Returns:
        ``items`` itself.
    """
    return items


@contextmanager
def progress_bars(*, log_seconds: float = LOG_SECONDS) -> Iterator[Track]:
    """Show the progress of each piece of work, in the way that suits where the program runs.

    A terminal gets bars on standard error, a notebook its own bar (with ipywidgets installed).
    Elsewhere, as in a CI log, work that takes long writes lines to the log of ``trm_edge``.
    Nothing is shown where that log's level is above ``INFO``.

    Args:
        log_seconds: time between two lines, where there are no bars.
    """
    if logging.getLogger("trm_edge").level > logging.INFO:
        yield silent
        return
    console = error_console()
    if _draws_bars(console):
        with _bars(console) as track:
            yield track
        return
    lines = _LogLines(log_seconds)
    try:
        yield lines.track
    finally:
        lines.stop()


def _draws_bars(console: Console) -> bool:
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal


class _Work:
    """A piece of work in progress."""

    def __init__(self, items: Iterable[Any], description: str, total: int | None) -> None:
        self.description = printable(shortened(description, _LABEL))
        self.count = 0  # items passed on
        self._known_total = total
        self._estimate = items.estimate if isinstance(items, Metered) else None
        self._unit = items.unit if isinstance(items, Metered) else ""
        self._done = items.done if isinstance(items, Metered) else None
        self._shows_rate = isinstance(items, Metered) and items.shows_rate
        self._counts_items = not isinstance(items, Metered) or items.counts_items
        self._start = time.monotonic()
        self._done_before = 0.0 if self._counts_items else self.completed

    @property
    def total(self) -> float | None:
        """Items in all, where that is known or can be estimated."""
        if self._known_total is not None or self._estimate is None:
            return self._known_total
        estimate = self._estimate()
        return None if estimate is None else max(estimate, self.completed)

    @property
    def completed(self) -> float:
        """Items that are done, with the part of those that are not passed on yet."""
        if self._done is None:
            return self.count
        done = self._done()
        if self._counts_items:
            done = max(float(self.count), done)
        return done if self._known_total is None else min(done, self._known_total)

    @property
    def is_estimated(self) -> bool:
        """The total is an estimate."""
        return self._known_total is None

    @property
    def ratio(self) -> str:
        """How many items are done, and of how many, such as "1/3", "1/~3" and "1/?"."""
        total = self.total
        if total is None:
            return f"{int(self.completed):,}/?"
        about = "~" if self.is_estimated else ""
        return f"{int(self.completed):,}/{about}{round(total):,}"

    @property
    def rate(self) -> str:
        """Items a second, such as "12.3 a second"; empty where it is not shown or not known."""
        seconds = time.monotonic() - self._start
        done = self.completed - self._done_before
        if not self._shows_rate or not done or seconds <= 0:
            return ""
        return f"{done / seconds:,.3g} a second"

    def sentence(self) -> str:
        """How far the work is, such as "solved 1,234 of 10,000 puzzles, 2 min left"."""
        seconds = time.monotonic() - self._start
        # One word is a verb; a longer description is followed by what is counted.
        start = self.description if self.description.isalpha() else f"{self.description}:"
        total = self.total
        count = f"{int(self.completed):,}"
        if total is not None:
            about = "about " if self.is_estimated else ""
            count = f"{count} of {about}{round(total):,}"
        if self._unit:
            count = f"{count} {self._unit}"
        if self.rate:
            count = f"{count}, {self.rate}"
        done = self.completed - self._done_before
        if total is None or done <= 0:
            return f"{start} {count}, {duration(seconds)} so far"
        left = seconds * (total - self.completed) / done
        return f"{start} {count}, {duration(left)} left"


def duration(seconds: float) -> str:
    """Format a time in the unit that people would say it in.

    Args:
        seconds: not negative.

    >>> [duration(8.2), duration(59.6), duration(130), duration(7500)]
    ['8 s', '1 min', '2 min', '2 h 5 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def _bars(console: Console) -> Iterator[Track]:
    """Draw a bar for each piece of work while it lasts; nothing is left behind."""
    from rich.console import RenderableType
    from rich.progress import (
        BarColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    works: dict[TaskID, _Work] = {}

    class Bars(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            for task, work in list(works.items()):
                self.update(
                    task,
                    completed=work.completed,
                    total=work.total,
                    ratio=work.ratio,
                    rate=work.rate,
                )
            return super().get_renderables()

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[ratio]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as progress:

        def track(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
            work = _Work(items, description, total)
            task = progress.add_task(
                work.description,
                total=total,
                completed=int(work.completed),
                ratio=work.ratio,
                rate="",
            )
            works[task] = work
            try:
                for item in items:
                    yield item
                    work.count += 1
            finally:
                del works[task]
                progress.remove_task(task)

        yield track


class _LogLines:
    """Writes how far the work is to the log, from a thread that wakes now and then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start = time.monotonic()
        self._works: list[_Work] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trm-edge-progress", daemon=True)
        self._thread.start()

    def track(self, items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
        work = _Work(items, description, total)
        self._works.append(work)
        try:
            for item in items:
                yield item
                work.count += 1
        finally:
            self._works.remove(work)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            works = list(self._works)
            if works:
                logger.info("%s", works[-1].sentence())
            else:
                logger.info("working, %s so far", duration(time.monotonic() - self._start))
