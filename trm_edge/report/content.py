"""The content of a report, before it becomes a page."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.report.history import History
from trm_edge.report.refinement import Refinement
from trm_edge.report.rows import ReportRow, RowGroup


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Args:
        version: version of trm-edge.
        created: date and time, for people.
        machines: pairs of what was done on a machine and its description.
        groups: the rows, by the puzzles that they solved.
        rankings: layer rankings, each with the row of the bundle that contains it.
        histories: baselines over time.
        refinements: puzzles to play back.
    """

    version: str
    created: str
    machines: tuple[tuple[str, str], ...]
    groups: tuple[RowGroup, ...]
    rankings: tuple[tuple[ReportRow, LayerRanking], ...]
    histories: tuple[History, ...]
    refinements: tuple[Refinement, ...]

    @property
    def rows(self) -> list[ReportRow]:
        """The rows of all groups, in order."""
        rows: list[ReportRow] = []
        for group in self.groups:
            rows += group.rows
        return rows
