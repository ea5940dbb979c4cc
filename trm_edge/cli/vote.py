"""``trm-edge vote``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trm_edge import records
from trm_edge.arc.test_set import read_test_set
from trm_edge.arc.votes import VoteOrder
from trm_edge.arc.voting import (
    METRICS_FORMAT,
    METRICS_NAME,
    RANKING_NAME,
    SUBMISSION_NAME,
    VoteMetrics,
    count_votes,
    write_votes,
)
from trm_edge.cli.arc_output import percent, print_problems, print_scores
from trm_edge.cli.command import Command, exit_codes
from trm_edge.cli.console import echo
from trm_edge.cli.options import json_option, votes_by_option
from trm_edge.cli.outputs import check_record_output
from trm_edge.errors import OutputExistsError
from trm_edge.files import check_writable
from trm_edge.progress import progress_bars

_NAMES = (SUBMISSION_NAME, RANKING_NAME, METRICS_NAME)


@click.command(
    "vote", cls=Command, epilog=exit_codes(failed="failed, or a task was left out; it is named")
)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument(
    "predictions",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    metavar="PREDICTIONS.npz...",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Folder for submission.json, ranking.json and metrics.json.",
)
@click.option(
    "--grids",
    type=click.IntRange(0),
    metavar="N",
    default=10,
    show_default=True,
    help="Candidates of each test input whose grids ranking.json has.",
)
@votes_by_option
@json_option
@click.option("--force", is_flag=True, help="Overwrite files that trm-edge vote did not write.")
def command(
    dataset: Path,
    predictions: tuple[Path, ...],
    output: Path,
    grids: int,
    votes_by: VoteOrder,
    as_json: bool,
    force: bool,
) -> None:
    """Turn predictions for augmented ARC tasks into a submission.

    Each prediction is turned back to its original grid and is a vote for it. More votes come first,
    then the higher mean of sigmoid(q_halt), then the answer seen first. Several files are parts of
    a run, or runs: their votes add up. DATASET may be a folder that trm-edge solve -o wrote.

    \b
    trm-edge vote arc-1 part-1.npz part-2.npz -o votes
    trm-edge vote out-1 out-1/predictions-*.npz out-2/predictions-*.npz -o votes
    """
    _check_outputs(output, force=force)
    test_set = read_test_set(dataset)
    with progress_bars() as track:
        result = count_votes(test_set, predictions, order=votes_by, track=track)
    write_votes(output, result, grids)
    print_problems(test_set.problems)
    if as_json:
        click.echo(records.encode(result.metrics, METRICS_FORMAT), nl=False)
    else:
        _print(output, result.metrics)
    if test_set.problems:
        sys.exit(1)


def _check_outputs(folder: Path, *, force: bool) -> None:
    """Refuse to overwrite a submission that did not come from here."""
    metrics = folder / METRICS_NAME
    check_record_output(metrics, METRICS_FORMAT, "metrics of trm-edge vote", force=force)
    for name in _NAMES:
        check_writable(folder / name)
        if (folder / name).exists() and not metrics.exists() and not force:
            raise OutputExistsError(
                f"{folder / name} exists and is not from trm-edge vote, so it is not overwritten. "
                "Choose another folder, or pass --force."
            )


def _print(output: Path, metrics: VoteMetrics) -> None:
    echo(f"Wrote {output / SUBMISSION_NAME}, with {RANKING_NAME} and {METRICS_NAME}.")
    echo(
        f"{metrics.votes:,} votes on {metrics.test_inputs:,} test inputs of {metrics.tasks:,} tasks"
    )
    if metrics.unanswered:
        share = percent(metrics.unanswered / metrics.test_inputs)
        echo(f"Without a prediction: {metrics.unanswered:,} test inputs ({share}).")
    if metrics.ignored:
        echo(f"Rows whose question is no test input: {metrics.ignored:,}.")
    print_scores(metrics.scores)
