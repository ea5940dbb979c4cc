"""The page as one HTML string; opening it loads nothing from anywhere else."""

from __future__ import annotations

from importlib import resources
from string import Template

from plotly.offline import get_plotlyjs

from trm_edge.report.builder import PageBuilder
from trm_edge.report.content import Report
from trm_edge.report.markup import element, join, script_json
from trm_edge.report.sections import page_sections


def render(report: Report) -> str:
    """Render a report as HTML that needs no network and no other file.

    Args:
        report: its content.
    """
    builder = PageBuilder(report)
    content = join(page_sections(builder))
    labels = ", ".join(row.label for row in report.rows)
    template = Template(_read("page.html"))
    return template.substitute(
        title=element("title", f"trm-edge: {labels}"),
        style=_read("page.css"),
        content=content,
        figures=script_json(builder.figures),
        refinements=script_json([player.data for player in builder.players]),
        plotly=_escape_end_tag(get_plotlyjs()),
        charts=_read("charts.js"),
        player=_read("player.js") + _read("players.js"),
    )


def _escape_end_tag(script: str) -> str:
    """Keep a script from ending its element early."""
    return script.replace("</script", "<\\/script")


def _read(name: str) -> str:
    return (resources.files("trm_edge.report") / name).read_text(encoding="utf-8")
