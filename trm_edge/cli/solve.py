"""``trm-edge solve``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.options import (
    bundle_argument,
    target_option,
    threads_option,
)
from trm_edge.cli.solve_output import FORMATS, Answer
from trm_edge.errors import PuzzleError
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solver import Solver
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
    type=click.Choice(["adaptive", "fixed"]),
    default="adaptive",
    show_default=True,
    help="Stop when the halting head says so, or always run every step.",
)
@click.option("--max-steps", type=click.IntRange(1), help="The model's own by default.")
@click.option("--min-steps", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--halt-threshold",
    type=float,
    default=0.0,
    show_default=True,
    help="By how much, a logit, the halting head has to be for stopping.",
)
@click.option(
    "--stop-unchanged",
    type=click.IntRange(0),
    default=0,
    metavar="K",
    help="Stop also when the last K steps changed nothing.",
)
@click.option(
    "--rollouts",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="K",
    help="Try up to K forms of each puzzle; the halting head chooses the answer.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Of rollouts: stop trying once the confidence reaches P.",
)
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, help="Slots.")
@threads_option
@click.option(
    "--format",
    "style",
    type=click.Choice(sorted(FORMATS)),
    default="text",
    show_default=True,
    help="Pictures for people, one JSON object a line, or CSV.",
)
@click.option("--watch", is_flag=True, help="Show every puzzle being refined, step by step.")
def command(
    bundle: Path,
    puzzles: str | None,
    target: str | None,
    halt: str,
    max_steps: int | None,
    min_steps: int,
    halt_threshold: float,
    stop_unchanged: int,
    rollouts: int,
    min_confidence: float,
    batch: int,
    threads: int,
    style: str,
    watch: bool,
) -> None:
    """Solve puzzles with a bundle.

    PUZZLES is a text or CSV file, a dataset folder, or - for standard input. Without it, a few
    puzzles that come along are solved. Answers come in the order of the puzzles. A line that is
    no puzzle is reported, the others are solved, and the exit code is 1.

    \b
    trm-edge solve my-bundle puzzles.txt --format json > answers.jsonl
    echo 53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79 \\
      | trm-edge solve my-bundle - --watch
    trm-edge solve my-bundle puzzles.txt --halt-threshold 2 --rollouts 8 --min-confidence 0.9
    """
    opened = Bundle.open(bundle)
    task = opened.task()
    rule = HaltingRule.from_config(
        opened.config,
        cast(HaltingMode, halt),
        max_steps=max_steps,
        min_steps=min_steps,
        threshold=halt_threshold,
        unchanged=stop_unchanged,
    )
    forms = task.augmentations(rollouts)
    reader = _Reader(_entries(task, puzzles))
    solver = Solver(
        opened.backend(target, threads=threads),
        opened.puzzle_embeddings(),
        halting=rule,
        batch=1 if watch else batch,
        trace=watch,
    )
    writer = FORMATS[style](task, sys.stdout)
    solved = 0
    with solver, progress_bars() as track:
        tries = Rollouts(solver, forms, min_confidence=min_confidence) if rollouts > 1 else solver
        solutions = tries.solve(reader, ordered=True)
        shown = solutions if watch or sys.stdout.isatty() else track(solutions, "solving")
        for solution in shown:
            answer = Answer.of(task, reader.pop(solution.index), solution)
            if watch:
                from trm_edge.cli.watch import watch_solution

                watch_solution(task, answer, solution)
            writer.write(answer)
            solved += answer.valid is not False
    writer.finish()
    if not reader.count and not reader.bad:
        raise PuzzleError(f"{puzzles or 'the input'} holds no puzzle.")
    if reader.count and style == "text":
        writer.summary(solved, reader.count)
    if reader.bad:
        sys.exit(1)


class _Reader:
    """Hands puzzles to the solver, keeps those that are out, and reports lines that are none."""

    def __init__(self, items: Iterator[Entry | BadLine]) -> None:
        self._items = items
        self._out: dict[int, Entry] = {}
        self.count = 0
        self.bad = 0

    def __iter__(self) -> Iterator[Puzzle]:
        for item in self._items:
            if isinstance(item, BadLine):
                self.bad += 1
                click.echo(f"{item}; skipped", err=True)
                continue
            self._out[self.count] = item
            self.count += 1
            yield item.puzzle

    def pop(self, index: int) -> Entry:
        return self._out.pop(index)


def _entries(task: Task, source: str | None) -> Iterator[Entry | BadLine]:
    if source == "-":
        return task.read_lines(sys.stdin)
    if source is not None:
        return task.read(Path(source))
    examples = reference_puzzles(task.name, "examples", task.config.seq_len)
    if examples is None:
        raise click.UsageError(
            f"Pass PUZZLES: none come along for the task {task.name} with {task.config.seq_len} "
            "cells."
        )
    return task.read(examples)
