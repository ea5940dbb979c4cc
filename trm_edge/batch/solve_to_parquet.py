"""``trm-edge solve -o NAME.parquet``: a folder of Parquet files, every puzzle exactly once."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from trm_edge.batch.block_solver import BlockSolver
from trm_edge.batch.fingerprint import Fingerprint
from trm_edge.batch.input_copy import copied_input
from trm_edge.batch.open_source import open_source
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.run import Run, RunResult
from trm_edge.batch.solve_options import SolveOptions as SolveOptions
from trm_edge.batch.source import RowSource
from trm_edge.batch.unique_ids import check_ids
from trm_edge.bundle import Bundle
from trm_edge.cli.arc_output import percent
from trm_edge.cli.console import echo
from trm_edge.cli.parquet_options import ParquetOptions
from trm_edge.cli.solve_input import STANDARD_INPUT
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.progress import Track, duration, progress_bars
from trm_edge.tasks.arc import ArcAgiTask
from trm_edge.tasks.base import Task
from trm_edge.tasks.lines import holds_input

logger = logging.getLogger(__name__)


def solve_to_parquet(
    bundle: Bundle,
    puzzles: str | None,
    output: Path,
    options: SolveOptions,
    parquet: ParquetOptions,
) -> None:
    """Solve the rows that a folder does not have yet; exits with 1 where rows have failed.

    Args:
        bundle: opened.
        puzzles: a file or folder, ``-`` for standard input, or None: standard input where there is
            something in it, else the bundled examples.
        output: the folder.
        options: of the solver.
        parquet: of the run.

    Raises:
        PuzzleError: the input cannot be read, holds no puzzle, or an id stands in two rows.
        OutputError: the folder cannot be used; OutputExistsError where it is of another run.
        BackendError: the engine fails whatever it is given.
    """
    task = bundle.task()
    _refuse_arc(bundle, task)
    if parquet.ray is not None and puzzles not in (None, STANDARD_INPUT):
        puzzles = str(Path(puzzles).absolute())  # workers may be at work in another folder
    folder = OutputFolder(output if parquet.ray is None else output.absolute())
    with folder.locked(), progress_bars() as track, _opened(task, puzzles, folder) as source:
        try:
            if parquet.ray is not None:
                from trm_edge.batch.solve_with_ray import solve_with_ray

                result = solve_with_ray(bundle, source, folder, options, parquet, track)
            else:
                backend = bundle.backend(options.target, threads=options.threads)
                with BlockSolver(options) as solver:  # first: a run is begun with what works
                    begin_run(bundle, source, folder, options, backend.name, track)
                    run = Run(source, folder, solver, track)
                    result = run.solve(retry_failed=parquet.retry_failed)
        except KeyboardInterrupt:
            if folder.is_begun:
                echo(f"The answers so far are in {output}; the same command goes on.", err=True)
            raise
    print_result(output, result, retry_failed=parquet.retry_failed)


def begin_run(
    bundle: Bundle,
    source: RowSource,
    folder: OutputFolder,
    options: SolveOptions,
    backend: str,
    track: Track,
) -> None:
    """Begin a run in a folder, or make sure that the one in it is the same.

    Args:
        bundle: opened.
        source: of the rows.
        folder: locked.
        options: of the solver.
        backend: name of the engine that solves.
        track: reports what is read.

    Raises:
        PuzzleError: the input cannot be read, holds no row, or an id stands in two rows.
        OutputExistsError: the folder holds another run; says what differs.
    """
    if next(iter(source.blocks()), None) is None:
        raise PuzzleError(f"{source.name} does not hold a puzzle.")
    sha256 = source.sha256(track)
    fingerprint = Fingerprint.of(bundle, options, backend, sha256)
    if folder.check_same(fingerprint):
        return  # the same input, whose ids were compared when the run began
    check_ids(source, track)
    folder.begin(fingerprint)


def print_result(output: Path, result: RunResult, *, retry_failed: bool) -> None:
    """Print what the folder holds; exits with 1 where rows have failed.

    Args:
        output: the folder.
        result: of the run.
        retry_failed: failed rows were solved again already.
    """
    tally = result.tally
    solved = tally.rows - tally.failed
    parts = [f"{solved:,} solved"]
    if tally.judged:
        parts.append(f"{tally.valid:,} valid ({percent(tally.valid / tally.judged)})")
    if tally.known:
        parts.append(f"{tally.correct:,} of {tally.known:,} known answers right")
    if tally.withheld:
        parts.append(f"{tally.withheld:,} without an answer, unsolved or unsure")
    parts.append(f"{tally.failed:,} failed")
    echo(f"Wrote {output}: {tally.rows:,} rows, {', '.join(parts)}.")
    if result.solved:
        rate = result.solved / max(result.seconds, 1e-9)
        took = duration(result.seconds)
        echo(f"This time: {result.solved:,} rows in {took} ({rate:,.3g} a second).")
    else:
        echo("Nothing was left to solve.")
    if tally.failed:
        advice = "The column error says why"
        if not retry_failed:
            advice = f"{advice}; --retry-failed solves them again"
        echo(f"{tally.failed:,} rows have failed. {advice}.", err=True)
        sys.exit(1)


def _refuse_arc(bundle: Bundle, task: Task) -> None:
    if isinstance(task, ArcAgiTask):
        raise ConfigError(
            f"the task of {bundle.path} is arc, whose tasks are solved under augmentations and "
            "voted on: give -o a folder whose name does not end in .parquet, and it gets a "
            "submission and the predictions."
        )


@contextmanager
def _opened(task: Task, puzzles: str | None, folder: OutputFolder) -> Iterator[RowSource]:
    """Open the input; standard input, which can be read once, is copied beside the answers."""
    if puzzles is not None and puzzles != STANDARD_INPUT:
        yield open_source(task, Path(puzzles))
        return
    if puzzles == STANDARD_INPUT or holds_input(sys.stdin):
        with copied_input(sys.stdin, folder) as copy:
            if puzzles == STANDARD_INPUT or copy.stat().st_size:
                source = open_source(task, copy)
                source.name = "standard input"
                yield source
                return
    examples = task.bundled_puzzles("examples")
    if examples is None:
        raise click.UsageError("Pass PUZZLES: none are bundled for the task of this bundle.")
    yield open_source(task, examples)
