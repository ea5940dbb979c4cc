"""What float arithmetic alone changes, beside each row on the same puzzles."""

from __future__ import annotations

from collections.abc import Iterator

from trm_edge.report.markup import Content, Markup, element, table
from trm_edge.report.rows import RowGroup

_COLUMNS = ("", "lost and gained, fixed", "lost and gained, adaptive", "same halting step")


def group_floors(group: RowGroup) -> Iterator[Markup]:
    """Build a heading and a table for each row of a group.

    Args:
        group: the rows.
    """
    for row in group.rows:
        floor = row.parity.floor
        if floor is None:
            text = f"{row.label}: the numerics floor is not recorded in this bundle."
            yield element("p", text, class_="small")
            continue
        heading = (
            f"{row.label}: what float arithmetic alone changes, on {floor.puzzles} of the puzzles"
        )
        yield element("p", heading, class_="small")
        rows: list[list[Content]] = []
        for name, counts in floor.rows.items():
            low, high = counts.interval_same_step
            same_step = f"{100 * counts.same_step:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
            fixed = f"-{counts.lost_fixed} +{counts.gained_fixed}"
            adaptive = f"-{counts.lost_adaptive} +{counts.gained_adaptive}"
            rows.append([name, fixed, adaptive, same_step])
        yield table(_COLUMNS, rows)
