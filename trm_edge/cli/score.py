"""``trm-edge score``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trm_edge import records
from trm_edge.arc.scoring import SCORE_FORMAT, score_submission
from trm_edge.cli.arc_output import print_problems, print_scores
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.console import echo
from trm_edge.cli.options import json_option


@click.command(
    "score",
    cls=Command,
    epilog=exit_codes(failed="failed, or a task is missing or wrong; it is named"),
)
@click.argument("submission", type=click.Path(path_type=Path), metavar="SUBMISSION.json")
@click.argument("solutions", type=click.Path(path_type=Path), metavar="SOLUTIONS.json")
@json_option
def command(submission: Path, solutions: Path, as_json: bool) -> None:
    """Score an ARC submission by both rules.

    The published evaluator averages over tasks the share of a task's test inputs that are right;
    the competition counts the share of all test outputs that are right. SOLUTIONS.json holds the
    outputs by task; a dataset's test_puzzles.json will do.

    A task that is missing in the submission counts as not solved and is named; the exit code is 1
    then.

    \b
    trm-edge score votes/submission.json arc-agi_evaluation_solutions.json
    """
    score, problems = score_submission(submission, solutions)
    print_problems(problems, "Not scored")
    if as_json:
        click.echo(records.encode(score, SCORE_FORMAT), nl=False)
    else:
        echo(f"{score.tasks:,} tasks, {score.outputs:,} test outputs")
        print_scores(score.scores)
    if problems:
        sys.exit(1)
