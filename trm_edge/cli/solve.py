"""``trm-edge solve``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.console import echo
from trm_edge.cli.options import bundle_argument, target_option, threads_option
from trm_edge.cli.solve_output import FORMATS, Answer, Writer
from trm_edge.errors import PuzzleError
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solution import Solution
from trm_edge.progress import progress_bars
from trm_edge.puzzle import Puzzle
from trm_edge.reference import reference_puzzles
from trm_edge.tasks.base import BadLine, Entry, Task


@click.command("solve")
@bundle_argument
@click.argument("puzzles", required=False)
@target_option
@click.option(
    "--halt",
    "mode",
    type=click.Choice(["adaptive", "fixed"]),
    default="adaptive",
    show_default=True,
    help="Stop when the halting head says so, or always run every step.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(1),
    metavar="N",
    show_default="the model's own",
    help="Stop every puzzle after N steps.",
)
@click.option(
    "--min-steps",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Give every puzzle at least N steps.",
)
@click.option(
    "--halt-threshold",
    type=float,
    default=0.0,
    show_default=True,
    metavar="LOGIT",
    help="Logit margin by which q_halt must win.",
)
@click.option(
    "--stop-unchanged",
    type=click.IntRange(0),
    default=0,
    show_default="off",
    metavar="K",
    help="Also stop when the last K steps changed nothing.",
)
@click.option(
    "--rollouts",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="K",
    help="Attempt up to K augmentations of each puzzle; the halting head chooses the answer.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    metavar="P",
    help="With --rollouts: stop trying once the confidence reaches P.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    metavar="SLOTS",
    help="Puzzles worked on at once.",
)
@threads_option
@click.option(
    "--format",
    "output_format",
    type=click.Choice(sorted(FORMATS)),
    default="text",
    show_default=True,
    help="Pictures for people, one JSON object a line, or CSV.",
)
@click.option("--watch", is_flag=True, help="Show how each puzzle is refined, step by step.")
def command(
    bundle: Path,
    puzzles: str | None,
    target: str | None,
    mode: str,
    max_steps: int | None,
    min_steps: int,
    halt_threshold: float,
    stop_unchanged: int,
    rollouts: int,
    min_confidence: float,
    batch: int,
    threads: int,
    output_format: str,
    watch: bool,
) -> None:
    """Solve puzzles with a bundle.

    PUZZLES is a text or CSV file, a dataset folder, or - for standard input. By default, a few
    bundled puzzles are solved. Answers come in the order of the puzzles. A line that is not a
    puzzle is reported and skipped; the exit code is then 1.

    \b
    trm-edge solve my-bundle puzzles.txt --format json > answers.jsonl
    echo 53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79 \\
      | trm-edge solve my-bundle - --watch
    trm-edge solve my-bundle puzzles.txt --halt-threshold 2 --rollouts 8 --min-confidence 0.9
    """
    opened = Bundle.open(bundle)
    task = opened.task()
    halting = HaltingRule.from_config(
        opened.config,
        cast(HaltingMode, mode),
        max_steps=max_steps,
        min_steps=min_steps,
        threshold=halt_threshold,
        unchanged=stop_unchanged,
    )
    augmentations = task.augmentations(rollouts)
    reader = _Reader(_entries(task, puzzles))
    if watch:
        batch = 1
    solver = opened.solver(target, batch=batch, halting=halting, threads=threads, trace=watch)
    writer = FORMATS[output_format](task, sys.stdout)
    with solver:
        if rollouts > 1:
            attempts = Rollouts(solver, augmentations, min_confidence=min_confidence)
            solutions = attempts.solve(reader, ordered=True)
        else:
            solutions = solver.solve(reader, ordered=True)
        valid = _write(task, reader, solutions, writer, watch=watch)
    writer.finish()
    if not reader.count and not reader.bad:
        raise PuzzleError(f"{puzzles or 'the input'} does not hold a puzzle.")
    if reader.count and output_format == "text":
        writer.summary(valid, reader.count)
    if reader.bad:
        sys.exit(1)


class _Reader:
    """Hands puzzles to the solver, keeps those that are being solved, and reports bad lines."""

    def __init__(self, entries: Iterator[Entry | BadLine]) -> None:
        self._entries = entries
        self._unsolved: dict[int, Entry] = {}
        self.count = 0
        self.bad = 0

    def __iter__(self) -> Iterator[Puzzle]:
        for entry in self._entries:
            if isinstance(entry, BadLine):
                self.bad += 1
                echo(f"{entry}; skipped", err=True)
                continue
            self._unsolved[self.count] = entry
            self.count += 1
            yield entry.puzzle

    def pop(self, index: int) -> Entry:
        return self._unsolved.pop(index)


def _write(
    task: Task, reader: _Reader, solutions: Iterable[Solution], writer: Writer, *, watch: bool
) -> int:
    """Write every solution, and return the number of those that are not known to be wrong."""
    valid = 0
    with progress_bars() as track:
        if not watch and not sys.stdout.isatty():
            solutions = track(solutions, "solving")
        for solution in solutions:
            answer = Answer.of(task, reader.pop(solution.index), solution)
            if watch:
                from trm_edge.cli.watch import watch_solution

                watch_solution(task, answer)
            writer.write(answer)
            if answer.record.valid is not False:
                valid += 1
    return valid


def _entries(task: Task, source: str | None) -> Iterator[Entry | BadLine]:
    if source == "-":
        return task.read_lines(sys.stdin)
    if source is not None:
        return task.read(Path(source))
    examples = reference_puzzles(task.name, "examples", task.config.seq_len)
    if examples is None:
        raise click.UsageError(
            f"Pass PUZZLES: none are bundled for the task {task.name} with {task.config.seq_len} "
            "cells."
        )
    return task.read(examples)
