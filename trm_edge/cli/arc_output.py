"""What the commands of ARC-AGI print: scores, and tasks that were left out."""

from __future__ import annotations

from collections.abc import Sequence

from trm_edge.arc.scoring import Scores
from trm_edge.arc.task import TaskProblem
from trm_edge.cli.console import echo, stdout_console
from trm_edge.cli.tables import Column, DataTable, print_terms

_MOST_LINES = 20
_TERMS = (
    "Published: mean over tasks of the share of a task's test inputs that are right. Competition: "
    "share of all test outputs. Whole tasks: share of tasks with every test input right."
)


def print_problems(problems: Sequence[TaskProblem], verb: str = "Left out") -> None:
    """Name the tasks that were left out, on standard error.

    Args:
        problems: in the order of the files.
        verb: what was done with them.
    """
    for problem in problems[:_MOST_LINES]:
        echo(f"{verb}: {problem}", err=True)
    if len(problems) > _MOST_LINES:
        echo(f"... and {len(problems) - _MOST_LINES:,} more.", err=True)


def percent(share: float) -> str:
    """Format a share.

    Args:
        share: 0 to 1.
    """
    return f"{100 * share:.2f} %"


def print_scores(scores: Scores) -> None:
    """Print scores by the number of answers allowed, and explain them.

    Args:
        scores: to print.
    """
    columns = ("published", "competition", "whole tasks")
    table = DataTable([Column("answers", align="left"), *map(Column, columns)])
    for name, published in scores.published.items():
        competition = percent(scores.competition[name])
        table.add(name, percent(published), competition, percent(scores.whole_tasks[name]))
    console = stdout_console()
    table.print(console)
    print_terms(console, _TERMS)
