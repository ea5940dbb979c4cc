"""Known answers on lines of their own, joined to the puzzles on the lines before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from trm_edge.tasks.entries import AnswerLine, BadLine, Entry


def with_answers(items: Iterable[Entry | BadLine]) -> Iterator[Entry | BadLine]:
    """Give each puzzle the answer on the next line; a puzzle waits until that line is read.

    Args:
        items: of a source, in order.
    """
    pending: Entry | None = None
    for item in items:
        if isinstance(item, AnswerLine) and pending is not None:
            yield replace(pending, answer=item.answer)
            pending = None
            continue
        if pending is not None:
            yield pending
            pending = None
        if isinstance(item, Entry):
            pending = item
        else:
            yield item
    if pending is not None:
        yield pending


def without_answers(items: Iterable[Entry | BadLine]) -> Iterator[Entry | BadLine]:
    """Leave out answers on lines of their own, so that no puzzle waits for the next line.

    Args:
        items: of a source, in order.
    """
    for item in items:
        if not isinstance(item, AnswerLine):
            yield item
