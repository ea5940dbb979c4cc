"""Progress of long work: a callable that wraps an iterable, silent by default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from trm_edge.printable import printable, shortened

T = TypeVar("T")
_LABEL = 100  # characters


class Track(Protocol):
    """A callable that wraps an iterable and reports each item it passes on."""

    def __call__(
        self, items: Iterable[T], description: str, total: int | None = None
    ) -> Iterable[T]:
        """Pass the items on and report each.

        Args:
            items: the work.
            description: a few words shown beside the count.
            total: number of items, where it is known.

        Returns:
            The same items in the same order.
        """
        ...


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
def progress_bars() -> Iterator[Track]:
    """Show a progress bar for each piece of work on stderr; nothing if it is not a terminal."""
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
        TextColumn("{task.description:<34}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def track(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
            label = printable(shortened(description, _LABEL))
            return progress.track(items, description=label, total=total)

        yield track
