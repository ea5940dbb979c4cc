"""State of a page while its sections are built: figures and players collected so far."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from trm_edge.report.content import Report
from trm_edge.report.markup import Content, Markup, element
from trm_edge.report.player import Player, render_player
from trm_edge.report.refinement import Refinement
from trm_edge.report.rows import RowGroup
from trm_edge.report.style import mark_of


class PageBuilder:
    """Numbers the charts and players of a page and keeps the data that its scripts need.

    Args:
        report: the content of the page.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.marks = {row.label: mark_of(index) for index, row in enumerate(report.rows)}
        self.figures: list[Any] = []
        self.players: list[Player] = []

    def chart(self, figure: go.Figure, description: str) -> Markup:
        """Add a figure and return the element in which the script draws it.

        Args:
            figure: the chart.
            description: its content in a few words, for screen readers.
        """
        index = len(self.figures)
        self.figures.append(figure.to_plotly_json())
        return element(
            "div",
            class_="chart",
            id=f"chart-{index}",
            role="img",
            aria_label=f"Chart: {description}",
            style=f"min-height: {figure.layout.height}px",
        )

    def player(self, refinement: Refinement) -> Markup:
        """Add a puzzle to play back and return its board with controls.

        Args:
            refinement: the puzzle and its steps.
        """
        player = render_player(refinement, len(self.players))
        self.players.append(player)
        return player.markup

    def group_heading(self, group: RowGroup) -> Content:
        """Return a heading with the group's name, or nothing if the page has one group only.

        Args:
            group: one of the report's groups.
        """
        if len(self.report.groups) == 1:
            return ""
        return element("h3", group.name)
