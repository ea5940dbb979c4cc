"""``trm-edge score``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trm_edge import records
from trm_edge.arc.comparison import (
    COMPARISON_FORMAT,
    JUDGED,
    SubmissionComparison,
    compare_submissions,
    submission_path,
)
from trm_edge.arc.scoring import SCORE_FORMAT, score_submission
from trm_edge.cli.arc_output import percent, print_problems, print_scores
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.console import echo, stdout_console
from trm_edge.cli.options import FiniteRange, json_option
from trm_edge.cli.tables import Column, DataTable

_MOST_NAMED = 20  # tasks of a line
_ROUNDING = 1e-9  # of a difference in points


@click.command(
    "score",
    cls=Command,
    epilog=exit_codes(
        failed="failed, a task is missing or wrong (it is named), or --max-drop is exceeded"
    ),
)
@click.argument("submission", type=click.Path(path_type=Path), metavar="SUBMISSION.json")
@click.argument("solutions", type=click.Path(path_type=Path), metavar="SOLUTIONS.json")
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="REFERENCE",
    help="Compare with another submission or run, such as the one of the float32 bundle.",
)
@click.option(
    "--max-drop",
    type=FiniteRange(0),
    metavar="POINTS",
    help="With --against: exit with 1 if more points of the published pass@2 are lost.",
)
@json_option
def command(
    submission: Path,
    solutions: Path,
    against: Path | None,
    max_drop: float | None,
    as_json: bool,
) -> None:
    """Score an ARC submission by both rules, or compare it with another one.

    The published evaluator averages over tasks the share of a task's test inputs that are right;
    the competition counts the share of all test outputs that are right. SOLUTIONS.json holds the
    outputs by task; a dataset's test_puzzles.json will do.

    A task that is missing in the submission counts as not solved and is named; the exit code is 1
    then.

    SUBMISSION.json and REFERENCE may be folders of trm-edge solve -o or trm-edge vote. A comparison
    has the scores of both, the tasks lost and gained, and how many test inputs have the same
    answers. Two folders of solve -o are also compared grid by grid, before the votes.

    \b
    trm-edge score votes/submission.json arc-agi_evaluation_solutions.json
    trm-edge score run-int8 arc-agi_evaluation_solutions.json --against run-fp32 --max-drop 0.5
    """
    if against is not None:
        _compare(against, submission, solutions, max_drop, as_json=as_json)
        return
    if max_drop is not None:
        raise click.UsageError("--max-drop limits a comparison: add --against REFERENCE.")
    score, problems = score_submission(submission_path(submission), solutions)
    print_problems(problems, "Not scored")
    if as_json:
        click.echo(records.encode(score, SCORE_FORMAT), nl=False)
    else:
        echo(f"{score.tasks:,} tasks, {score.outputs:,} test outputs")
        print_scores(score.scores)
    if problems:
        sys.exit(1)


def _compare(
    reference: Path, candidate: Path, solutions: Path, max_drop: float | None, *, as_json: bool
) -> None:
    result, problems = compare_submissions(reference, candidate, solutions)
    print_problems(problems, "Not scored")
    if as_json:
        click.echo(records.encode(result, COMPARISON_FORMAT), nl=False)
    else:
        _print_comparison(result)
    is_broken = max_drop is not None and result.drop > max_drop + _ROUNDING
    if is_broken:
        echo(
            f"{result.drop:.2f} points of the published {JUDGED} are lost, and at most "
            f"{max_drop:g} may be.",
            err=True,
        )
    if problems or is_broken:
        sys.exit(1)


def _print_comparison(result: SubmissionComparison) -> None:
    echo(f"{result.tasks:,} tasks, {result.outputs:,} test outputs")
    echo(f"Reference: {result.reference}")
    echo(f"Candidate: {result.candidate}")
    columns = ("reference", "candidate", "points lost")
    table = DataTable([Column("score", align="left"), *map(Column, columns)])
    rules = {
        "published": (result.reference_scores.published, result.candidate_scores.published),
        "competition": (result.reference_scores.competition, result.candidate_scores.competition),
    }
    for rule, (before, after) in rules.items():
        for name in before:
            lost = 100 * (before[name] - after[name])
            row = [percent(before[name]), percent(after[name]), f"{lost:+.2f}"]
            table.add(f"{rule} {name}", *row)
    table.print(stdout_console())
    echo(f"Tasks lost: {_named(result.tasks_lost)}.")
    echo(f"Tasks gained: {_named(result.tasks_gained)}.")
    echo(
        f"Test outputs lost {result.outputs_lost:,}, gained {result.outputs_gained:,} "
        f"(p {result.p_value:.2f})."
    )
    echo(
        f"Test inputs with the same first answer: {percent(result.same_first)}; with the same two: "
        f"{percent(result.same_pair)}."
    )
    if result.grids is not None:
        grids = result.grids
        echo(
            f"Single grids, before the votes: {grids.questions:,} in both, the same answer to "
            f"{percent(grids.same)}; right {percent(grids.reference_right)} and "
            f"{percent(grids.candidate_right)}."
        )


def _named(tasks: list[str]) -> str:
    shown = ", ".join(tasks[:_MOST_NAMED])
    if len(tasks) > _MOST_NAMED:
        shown = f"{shown}, ..."
    return f"{len(tasks):,} ({shown})" if tasks else "none"
