"""The section on risk and coverage: which confidence to ask for."""

from __future__ import annotations

from trm_edge.report import figures
from trm_edge.report.builder import PageBuilder
from trm_edge.report.markup import Content, Markup, chart_data, section
from trm_edge.report.rows import RowGroup

_TITLE = "Answers that can be relied on"


def coverage_section(builder: PageBuilder) -> Markup:
    """Build the section, with a chart and a table for each group of rows.

    Args:
        builder: holds the report and collects charts.
    """
    parts: list[Content] = []
    for group in builder.report.groups:
        rows = [row for row in group.rows if row.parity.coverage is not None]
        if not rows:
            continue
        parts.append(builder.group_heading(group))
        figure = figures.coverage_figure(rows, builder.marks)
        parts.append(builder.chart(figure, "wrong answers over puzzles answered"))
        parts.append(_data(group))
    if not parts:
        return section(_TITLE, "No right answers are known, so no answer can be called wrong.")
    lead = (
        "Each mark is a confidence that an answer has to reach, as with trm-edge solve "
        "--answer-if: further to the right more puzzles are answered, further down fewer of the "
        "answers are wrong. Bars are 95 % intervals."
    )
    return section(_TITLE, lead, *parts)


def _data(group: RowGroup) -> Markup:
    columns = ["", "confidence", "answered", "wrong", "wrong, 95 %"]
    lines = []
    for row in group.rows:
        if row.parity.coverage is None:
            continue
        for point in row.parity.coverage.candidate:
            low, high = point.risk_interval
            line = [
                row.label,
                f"{100 * point.min_confidence:g} %",
                f"{100 * point.coverage:.1f} %",
                str(point.wrong),
                f"{100 * low:.1f} to {100 * high:.1f} %",
            ]
            lines.append(line)
    return chart_data(columns, lines)
