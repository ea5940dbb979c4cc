"""``trm-edge solve -o FOLDER`` for ARC: every test input under augmentations, to a submission."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trm_edge import __version__
from trm_edge.arc.asked_tasks import AskedTasks, read_asked_tasks
from trm_edge.arc.augmentation import parse_name
from trm_edge.arc.plan import Plan, make_plan
from trm_edge.arc.rows import missing_rows_sentence
from trm_edge.arc.run import ArcRun, RunOutcome
from trm_edge.arc.run_folder import RunFolder, RunSettings
from trm_edge.arc.test_set import TestSet
from trm_edge.arc.voting import RANKING_NAME, SUBMISSION_NAME
from trm_edge.bundle import MANIFEST, Bundle
from trm_edge.cli.arc_options import ArcOptions
from trm_edge.cli.arc_output import percent, print_problems, print_scores
from trm_edge.cli.console import echo
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.files import hash_file
from trm_edge.loop.halting import HaltingRule
from trm_edge.progress import duration, progress_bars
from trm_edge.tasks.arc import ArcAgiTask

_CACHED_NAMES = 4096  # test inputs of a task are asked one after another


@dataclass(frozen=True)
class SolverOptions:
    """Options of the solver.

    Args:
        target: --target.
        halting: when a question is answered.
        batch: slots.
        threads: --threads.
    """

    target: str | None
    halting: HaltingRule
    batch: int
    threads: int


def solve_to_folder(
    bundle: Bundle,
    source: Path,
    output: Path,
    options: ArcOptions,
    solver_options: SolverOptions,
) -> None:
    """Run over the tasks of a source; exits with 1 where tasks are left out.

    Args:
        bundle: a bundle whose task is ``arc``.
        source: the tasks, a file or folder.
        output: folder of the run.
        options: of the run.
        solver_options: of the solver.

    Raises:
        ConfigError: --until-decided with another order than that of votes, or the batch or the
            threads are out of range.
        PuzzleError: the tasks cannot be read, the bundle has no row for any of them, or the answers
            in the folder are damaged or those to other questions.
        BundleError: a file of the bundle is missing or was changed, or there is no such target.
        OutputExistsError: the folder holds files of something else, or a run with other settings.
        OutputError: the folder cannot be written, a part of its answers is missing or has another
            length, or another process is at work in it.
        RecordError: the record of the run in the folder cannot be read.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine cannot be loaded, or failed.
    """
    end = float("inf")
    if options.minutes is not None:
        end = time.monotonic() + 60 * options.minutes
    if options.until_decided is not None and options.votes_by != "votes":
        raise ConfigError("--until-decided counts votes, so it needs --votes-by votes.")
    asked = read_asked_tasks(source)
    plan, missing = _planned(bundle, asked, options)
    test_set = _test_set(output, asked, plan)
    folder = RunFolder(output, test_set, are_known=asked.answered, grids=options.grids)
    settings = _settings(bundle, plan, options, solver_options)
    run = ArcRun(plan, test_set, folder, settings, rule=options.rule)
    outcome = _solve(bundle, run, output, end, solver_options)
    print_problems(asked.problems)
    if missing:
        echo(f"Left out: {missing_rows_sentence(missing, len(asked.tasks))}.", err=True)
    _print(output, asked, outcome)
    if asked.problems or missing:
        sys.exit(1)


def _planned(bundle: Bundle, asked: AskedTasks, options: ArcOptions) -> tuple[Plan, Sequence[str]]:
    """The plan, and the tasks that the bundle has no row for."""
    task = bundle.task()
    if not isinstance(task, ArcAgiTask):
        raise TypeError(f"the task of the bundle must be arc, but is {task.name}")
    rows = task.rows([each.name for each in asked.tasks], asked.names)
    missing = rows.missing()
    if len(missing) == len(asked.tasks):
        raise PuzzleError(f"{missing_rows_sentence(missing, len(missing))}.")
    return make_plan(asked.tasks, rows, options.augmentations), missing


def _test_set(output: Path, asked: AskedTasks, plan: Plan) -> TestSet:
    """The tasks of the submission, those that are not asked included."""
    tasks = {task.name: task for task in asked.tasks}
    return TestSet(output, tasks, plan.names, (), lru_cache(_CACHED_NAMES)(parse_name))


def _settings(
    bundle: Bundle, plan: Plan, options: ArcOptions, solver_options: SolverOptions
) -> RunSettings:
    target, _ = bundle.target(solver_options.target)
    return RunSettings(
        version=__version__,
        bundle=hash_file(bundle.path / MANIFEST),
        target=target,
        halting=str(solver_options.halting),
        augmentations=options.augmentations,
        until_decided=options.until_decided,
        leaders=options.decide,
        votes_by=options.votes_by,
        questions=plan.sha256(),
    )


def _solve(
    bundle: Bundle, run: ArcRun, output: Path, end: float, options: SolverOptions
) -> RunOutcome:
    try:
        with (
            run.opened(),
            progress_bars() as track,
            bundle.solver(
                options.target,
                batch=options.batch,
                halting=options.halting,
                threads=options.threads,
            ) as solver,
        ):
            return run.solve(solver, end=end, track=track)
    except KeyboardInterrupt:
        if (output / SUBMISSION_NAME).exists():
            echo(f"The answers so far are in {output}; the same command goes on.", err=True)
        raise


def _print(output: Path, asked: AskedTasks, outcome: RunOutcome) -> None:
    record = outcome.record
    metrics = outcome.votes.metrics
    echo(f"Wrote {output / SUBMISSION_NAME}, with {RANKING_NAME} and the predictions.")
    answers = f"{record.answers:,} of {record.questions:,} answers"
    if outcome.answered and outcome.seconds > 0:
        rate = outcome.answered / outcome.seconds
        answers = f"{answers}, {outcome.answered:,} of them in {duration(outcome.seconds)} "
        answers = f"{answers}({rate:,.3g} a second)"
    echo(f"{metrics.tasks:,} tasks, {metrics.test_inputs:,} test inputs: {answers}")
    if record.settings.until_decided is not None:
        echo(f"Decided before their last vote: {record.decided:,} test inputs.")
    if metrics.unanswered:
        share = percent(metrics.unanswered / metrics.test_inputs)
        echo(f"Without an answer: {metrics.unanswered:,} test inputs ({share}).")
    if not record.complete:
        echo("The time is up. The same command goes on where this one stopped.")
    if asked.answered:
        print_scores(metrics.scores)
    else:
        echo("Not scored: the outputs are not known. trm-edge score compares with solutions.")
