"""``trm-edge solve``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import click

from trm_edge.bundle import Bundle
from trm_edge.cli.answer_tally import AnswerTally
from trm_edge.cli.answers import AnswerPolicy
from trm_edge.cli.arc_options import ArcOptions, arc_options, check_folder_options
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.options import bundle_argument, options_checked, target_option, threads_option
from trm_edge.cli.parquet_options import (
    ParquetOptions,
    check_parquet_options,
    is_parquet,
    parquet_options,
)
from trm_edge.cli.search_options import SearchOptions, search_options
from trm_edge.cli.solve_input import STANDARD_INPUT, Reader, count_puzzles, open_puzzles
from trm_edge.cli.solve_output import FORMATS, Writer
from trm_edge.errors import PuzzleError, TrmEdgeError
from trm_edge.loop.halting import HaltingMode, HaltingRule
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.progress import Metered, progress_bars
from trm_edge.tasks.arc import ArcAgiTask
from trm_edge.tasks.base import Task
from trm_edge.tasks.blocks import BLOCK, in_blocks

DEFAULT_BATCH = 32


@click.command(
    "solve",
    cls=Command,
    epilog=exit_codes(
        "every puzzle has an answer, or is reported as unsolved or unsure",
        "failed, or a line is not a puzzle, or a task has no row in the bundle",
    ),
)
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
@search_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="NAME.parquet: write answers as Parquet files and go on where a run stopped. ARC: solve "
    "every test input under augmentations, and write a submission.",
)
@parquet_options
@arc_options
@click.option(
    "--batch",
    type=click.IntRange(1),
    show_default=f"{DEFAULT_BATCH}, or 1 with a deadline",
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
@click.pass_context
def command(
    context: click.Context,
    /,
    bundle: Path,
    puzzles: str | None,
    target: str | None,
    mode: str,
    max_steps: int | None,
    min_steps: int,
    halt_threshold: float,
    stop_unchanged: int,
    batch: int | None,
    threads: int,
    output_format: str,
    watch: bool,
    search: SearchOptions,
    output: Path | None,
    arc: ArcOptions,
    parquet: ParquetOptions,
) -> None:
    """Solve puzzles with a bundle.

    PUZZLES is a text or CSV file, a dataset folder, or - for standard input; with -o NAME.parquet
    also a Parquet file, a folder of them, or JSON lines. Without it, a pipe or
    a redirected file is read; where there is none, or nothing in it, a few bundled puzzles are
    solved. Answers come in the order of the puzzles, each as soon as it is there. A line that is
    not a puzzle is reported and skipped; the exit code is then 1.

    \b
    trm-edge solve my-bundle puzzles.txt --format json > answers.jsonl
    echo 53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79 \\
      | trm-edge solve my-bundle --watch
    trm-edge solve my-bundle puzzles.txt --rollouts 8 --only-valid
    trm-edge solve my-bundle puzzles.txt --deadline-ms 100 --answer-if 0.9
    trm-edge solve my-bundle puzzles.parquet -o answers.parquet
    trm-edge solve arc-bundle arc-agi_evaluation_challenges.json -o run --minutes 600
    """
    check_parquet_options(context, output)
    if not is_parquet(output):
        check_folder_options(context, output)
    opened = Bundle.open(bundle)
    task = opened.task()
    with options_checked():
        search.check(task)
        most_steps, unchanged = search.steps(opened.config, max_steps, stop_unchanged)
        halting = HaltingRule.from_config(
            opened.config,
            cast(HaltingMode, mode),
            max_steps=most_steps,
            min_steps=min_steps,
            threshold=halt_threshold,
            unchanged=unchanged,
        )
    slots = batch or (DEFAULT_BATCH if search.deadline is None else 1)
    if output is not None and is_parquet(output):
        from trm_edge.batch.extra import require_parquet_extra

        require_parquet_extra()
        from trm_edge.batch.solve_to_parquet import SolveOptions, solve_to_parquet

        with options_checked():
            solve_options = SolveOptions.of(
                opened, target, halting=halting, search=search, slots=slots, threads=threads
            )
        solve_to_parquet(opened, puzzles, output, solve_options, parquet)
        return
    if output is not None:
        _check_arc(opened, task, puzzles)
        from trm_edge.cli.solve_arc import SolverOptions, solve_to_folder

        options = SolverOptions(target, halting, batch or DEFAULT_BATCH, threads)
        solve_to_folder(opened, Path(puzzles or ""), output, arc, options)
        return
    with options_checked():
        exploration = search.exploration(task)
        selector = search.selector(task)
    if watch:
        slots = 1

    def make_solver(source: Bundle) -> Solver:
        return source.solver(
            target,
            batch=slots,
            halting=halting,
            threads=threads,
            trace=watch,
            measure_changes=exploration is not None and selector.needs_changes,
            deadline=search.deadline,
        )

    name, entries = open_puzzles(task, puzzles)
    total = None
    if not watch and not sys.stdout.isatty():
        total = count_puzzles(task, puzzles)
    writer = FORMATS[output_format](task, sys.stdout)
    reader = Reader(entries, writer)
    with ExitStack() as stack:
        solver = _enter(stack, opened, make_solver)
        source: Solver | Rollouts = solver
        if exploration is not None:
            with options_checked():
                source = Rollouts(solver, exploration, selector)
        solutions = source.solve(reader, ordered=True)
        policy = AnswerPolicy(search.only_valid, search.answer_if)
        tally = write_solutions(task, reader, solutions, writer, policy, watch=watch, total=total)
    writer.finish()
    if reader.count and output_format == "text":
        writer.summary(tally.valid, reader.count)
    tally.show()
    reader.finish()
    if not reader.count and not reader.bad:
        raise PuzzleError(f"{name} does not hold a puzzle.")
    if reader.bad:
        sys.exit(1)


def _check_arc(bundle: Bundle, task: Task, puzzles: str | None) -> None:
    """Refuse to write the run of another task, or of no tasks."""
    if not isinstance(task, ArcAgiTask):
        advice = "Redirect its answers instead: --format json > answers.jsonl"
        if ArcAgiTask.fits(task.config):
            advice = "If the model was trained on ARC, export it again with --task arc."
        raise click.UsageError(
            f"-o writes a run over ARC tasks, but the task of {bundle.path} is {task.name}. "
            f"{advice}"
        )
    if puzzles is None or puzzles == STANDARD_INPUT:
        raise click.UsageError("-o needs PUZZLES: a file or folder of ARC tasks.")


def _enter(stack: ExitStack, opened: Bundle, make_solver: Callable[[Bundle], Solver]) -> Solver:
    """Load the solver of a bundle, or of the one that an export puts in its place meanwhile.

    Args:
        stack: closes the solver.
        opened: the bundle; puzzles are read for its task and model.
        make_solver: makes the solver of a bundle.

    Raises:
        TrmEdgeError: the solver cannot be loaded, or the bundle in its place is of another model.
    """
    try:
        return stack.enter_context(make_solver(opened))
    except TrmEdgeError:
        if not opened.was_replaced():
            raise
        current = Bundle.open(opened.path)
        same_task = current.manifest.task == opened.manifest.task
        if not same_task or current.config != opened.config:
            raise
    return stack.enter_context(make_solver(current))


def write_solutions(
    task: Task,
    reader: Reader,
    solutions: Iterable[Solution],
    writer: Writer,
    policy: AnswerPolicy,
    *,
    watch: bool = False,
    total: int | None = None,
) -> AnswerTally:
    """Write every solution in the order of the puzzles, and count them.

    Args:
        task: of the bundle.
        reader: handed out the puzzles.
        solutions: in the order of the puzzles.
        writer: takes the answers.
        policy: which answers are given.
        watch: show how each puzzle was refined, which takes solutions with their trajectories.
        total: number of puzzles, where it is known.
    """
    tally = AnswerTally()
    with ExitStack() as stack:
        if not watch and not sys.stdout.isatty():
            track = stack.enter_context(progress_bars())
            solutions = track(Metered(solutions, "puzzles"), "solved", total)
        # Whoever reads a pipe or looks at a screen gets each answer as soon as it is there.
        size = BLOCK if writer.buffers and not watch else 1
        for block in in_blocks(solutions, size):
            for answer in reader.judged(task, block, policy):
                if watch:
                    from trm_edge.cli.watch import watch_solution

                    watch_solution(task, answer)
                writer.write(answer)
                reader.report()
                tally.add(answer.record)
    return tally
