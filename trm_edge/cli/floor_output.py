"""The numerics floor in tables and lines: what float arithmetic alone does beside a target."""

from __future__ import annotations

from trm_edge.cli.tables import Column, DataTable
from trm_edge.evaluation.floor_report import FlipCounts, FloorReport

NOT_RECORDED = (
    "Numerics floor: not recorded in this bundle. Export it again to see what float arithmetic "
    "alone changes."
)


def floor_title(report: FloorReport) -> str:
    """Write the title of the table of a floor.

    Args:
        report: the floor and the target on the same puzzles.
    """
    return f"\nNumerics floor, {report.puzzles} of the puzzles: changes against float32\n"


def floor_table(report: FloorReport) -> DataTable:
    """Build a table with a row for each float32 run, and one for the target.

    Args:
        report: the floor and the target on the same puzzles.
    """
    table = DataTable(
        [
            Column("run", align="left"),
            Column("fixed"),
            Column("adaptive"),
            Column("same step, % (95 %)"),
        ]
    )
    for name, counts in report.rows.items():
        low, high = counts.interval_same_step
        same_step = f"{100 * counts.same_step:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        fixed = _flips(counts.lost_fixed, counts.gained_fixed)
        adaptive = _flips(counts.lost_adaptive, counts.gained_adaptive)
        table.add(name, fixed, adaptive, same_step)
    return table


def floor_line(report: FloorReport | None) -> str:
    """Say in one line what float arithmetic alone changes.

    Args:
        report: the floor and a target on the same puzzles; None where the bundle does not record
            it.
    """
    if report is None:
        return NOT_RECORDED
    runs = []
    for name, counts in report.rows.items():
        runs.append(f"{name} {_summary(counts)}")
    return f"Numerics floor on {report.puzzles} of the puzzles: {'; '.join(runs)}"


def _summary(counts: FlipCounts) -> str:
    fixed = _flips(counts.lost_fixed, counts.gained_fixed)
    adaptive = _flips(counts.lost_adaptive, counts.gained_adaptive)
    return f"{fixed} fixed, {adaptive} adaptive, {100 * counts.same_step:.1f} % same step"


def _flips(lost: int, gained: int) -> str:
    """Format the puzzles lost and gained, as ``-1 +0``."""
    return f"-{lost} +{gained}"
