"""Input of ``trm-edge solve``: where puzzles come from, and lines that are not puzzles."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from trm_edge.cli.answers import Answer, AnswerPolicy, judge_answers
from trm_edge.cli.console import echo
from trm_edge.cli.solve_output import Writer
from trm_edge.errors import TrmEdgeError
from trm_edge.loop.feed import Feed, LiveFeed, as_feed
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import BadLine, Entry, Task
from trm_edge.tasks.dataset import is_folder
from trm_edge.tasks.lines import Lines, holds_input, open_lines, open_standard_input

STANDARD_INPUT = "-"
MAX_COUNTED = 1 << 28  # bytes of a file that is read once more for the number of its puzzles
MAX_COMPLAINTS = 10  # lines that are not puzzles and are reported one by one


def open_puzzles(task: Task, source: str | None) -> tuple[str, Feed[Entry | BadLine]]:
    """Open the puzzles that a command is given.

    Args:
        task: reads them.
        source: a file or dataset folder, ``-`` for standard input, or None: standard input where
            it is a pipe or a file that is not empty, else the bundled examples.

    Returns:
        The source's name for messages, and its entries; those of a pipe are read in a thread.

    Raises:
        PuzzleError: the source cannot be opened.
        UsageError: no source is given, and no puzzles are bundled for the task.
    """
    if source == STANDARD_INPUT:
        return "standard input", _feed(task, open_standard_input(sys.stdin))
    if source is not None:
        path = Path(source)
        if is_folder(path) or (task.reads_files and path.is_file()):
            return source, as_feed(task.read(path))
        return source, _feed(task, open_lines(path))
    if holds_input(sys.stdin):
        lines = open_standard_input(sys.stdin)
        if not lines.is_empty():
            return "standard input", _feed(task, lines)
    examples = task.bundled_puzzles("examples")
    if examples is None:
        raise click.UsageError(
            f"Pass PUZZLES: none are bundled for the task {task.name} with {task.config.seq_len} "
            "cells."
        )
    return str(examples), as_feed(task.read(examples))


def count_puzzles(task: Task, source: str | None) -> int | None:
    """Count the puzzles of a file or dataset folder, to tell how many are left.

    Args:
        task: reads them.
        source: as :func:`open_puzzles` takes it.

    Returns:
        The number; None for what can be read only once, is large, or cannot be read.
    """
    if source is None or source == STANDARD_INPUT:
        return None
    path = Path(source)
    try:
        if not is_folder(path) and not (path.is_file() and path.stat().st_size < MAX_COUNTED):
            return None
        return sum(1 for entry in task.read(path) if not isinstance(entry, BadLine))
    except (OSError, ValueError, TrmEdgeError):
        return None  # whoever opens it says why


def _feed(task: Task, lines: Lines) -> Feed[Entry | BadLine]:
    entries: Iterable[Entry | BadLine] = task.read_source(lines)
    return LiveFeed(entries) if lines.live else as_feed(entries)


class Reader(Feed[Puzzle]):
    """Hands puzzles to the solver, keeps those that are being solved, and reports bad lines.

    A source that fails ends the stream: what was read before is still solved.

    Args:
        entries: of the source.
        writer: takes bad lines, in their place among the answers.

    Attributes:
        count: puzzles so far.
        bad: bad lines so far.
    """

    is_checked = True  # tasks hand out puzzles that fit their model

    def __init__(self, entries: Feed[Entry | BadLine], writer: Writer) -> None:
        self.live = entries.live
        self.count = 0
        self.bad = 0
        self._entries = entries
        self._writer = writer
        self._next: Entry | None = None
        self._unsolved: deque[Entry | BadLine] = deque()  # in the order of their lines
        self._error: TrmEdgeError | None = None

    def take(self) -> Puzzle | None:
        """Take the next puzzle; None where there is none yet, or none any more."""
        entry = self._next
        self._next = None
        if entry is None:
            entry = self._take_entry()
        if entry is None:
            return None
        self._unsolved.append(entry)
        self.count += 1
        return entry.puzzle

    def wait(self) -> bool:
        """Wait until a puzzle can be taken; bad lines before it are reported at once."""
        while self._next is None:
            try:
                more = self._error is None and self._entries.wait()
            except TrmEdgeError as error:
                self._error = error
                return False
            if not more:
                return False
            self._next = self._take_entry()
        return True

    def ready(self) -> int:
        """Count the items that wait to be taken, bad lines included."""
        return self._entries.ready()

    def judged(
        self, task: Task, solutions: Sequence[Solution], policy: AnswerPolicy
    ) -> Iterator[Answer]:
        """Judge the next solutions, and hand out each answer.

        The caller writes an answer, and then calls :meth:`report`.

        Args:
            task: of the bundle.
            solutions: in the order of the puzzles.
            policy: which answers are given.
        """
        entries: list[Entry] = []
        for entry in self._unsolved:
            if len(entries) == len(solutions):
                break
            if not isinstance(entry, BadLine):
                entries.append(entry)
        for answer in judge_answers(task, entries, solutions, policy):
            self._unsolved.popleft()  # its entry: report() has taken the bad lines before it
            yield answer

    def report(self) -> None:
        """Write the bad lines that no unsolved puzzle comes before."""
        while self._unsolved and isinstance(self._unsolved[0], BadLine):
            bad_line = self._unsolved.popleft()
            if isinstance(bad_line, BadLine):
                self._writer.write_bad_line(bad_line)

    def finish(self) -> None:
        """Say how many bad lines were not reported one by one, and why the source ended early.

        Raises:
            TrmEdgeError: the source failed.
        """
        if self.bad > MAX_COMPLAINTS:
            click.echo(
                f"{self.bad:,} were skipped in all; the first {MAX_COMPLAINTS} are shown",
                err=True,
            )
        if self._error is not None:
            raise self._error

    def _take_entry(self) -> Entry | None:
        while self._error is None:
            try:
                item = self._entries.take()
            except TrmEdgeError as error:
                self._error = error
                return None
            if not isinstance(item, BadLine):
                return item
            self.bad += 1
            if self.bad <= MAX_COMPLAINTS:
                echo(f"{item}; skipped", err=True)
            self._unsolved.append(item)
            self.report()
        return None
