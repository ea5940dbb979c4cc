"""How long work reports itself: a function that wraps an iterable, silent unless one is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Wraps an iterable whose items are counted against ``total``."""

    def __call__(self, items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]: ...


def silent(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Report nothing."""
    return items


@contextmanager
def progress_bars() -> Iterator[Track]:
    """Bars on stderr, one below the other; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def track(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
            return progress.track(items, description=what, total=total)

        yield track
