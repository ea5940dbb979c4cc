"""How charts look: colours are the page's CSS variables, so that they follow light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")
_DARK = "var(--text)"
_FAINT = "var(--grid)"
_CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Mark:
    """What tells one row from another in every chart."""

    colour: str
    symbol: str

    @property
    def open_symbol(self) -> str:
        return f"{self.symbol}-open"


FLOAT32_MARK = Mark("var(--float32)", "x")


def mark_of(place: int) -> Mark:
    """Of the report's row at that place; colours and symbols come round again after seven."""
    kind = place % len(_SYMBOLS)
    return Mark(f"var(--series-{kind + 1})", _SYMBOLS[kind])


def text(value: str) -> str:
    """As Plotly shows it: it reads some tags and entities in what is to be plain text."""
    return escape(value, quote=False)


def figure(traces: list[Any], *, x: str, y: str, height: int, **layout: Any) -> go.Figure:
    """Traces under axes of those titles, ``height`` pixels high and as wide as the page lets.

    Nothing zooms, so that a finger on a chart scrolls the page.
    """
    axis = {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": _FAINT,
        "linecolor": _FAINT,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": _FAINT,
    }
    base = go.Layout(
        template="none",
        autosize=True,
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        font={"family": "system-ui, sans-serif", "size": 13, "color": _DARK},
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        hoverlabel={
            "bgcolor": "var(--card)",
            "bordercolor": _FAINT,
            "font": {"color": _DARK},
            "namelength": -1,
        },
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        dragmode=False,
        xaxis={**axis, "title": {"text": x}},
        yaxis={**axis, "title": {"text": y}},
    )
    return go.Figure(traces, base.update(layout))
