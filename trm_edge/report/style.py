"""How charts look: colours are the page's CSS variables, so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

import plotly.graph_objects as go

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")
_DARK = "var(--text)"
_FAINT = "var(--grid)"
_CLEAR = "rgba(0,0,0,0)"
_STEPS = 8  # that are labelled at most


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


def step_axis(steps: int) -> dict[str, Any]:
    """From step 1 on; with no more labels than a phone has room for."""
    stride = ceil(steps / _STEPS)
    return {
        "range": [0.4, steps + 0.6],
        "tickvals": list(range(stride, steps + 1, stride)),
        "tickangle": 0,
    }


def log_axis(values: Iterable[float], most: int = 6) -> dict[str, Any]:
    """A logarithmic axis over positive values, with plain numbers at ``most`` places at most."""
    found = list(values)
    low, high = log10(min(found)), log10(max(found))
    edge = max(0.08, 0.05 * (high - low))  # so that no mark is cut off
    low, high = low - edge, high + edge
    decades = range(floor(low), ceil(high) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [step * 10**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= log10(tick) <= high]
        if len(ticks) >= most - 2:
            break
    ticks = ticks[:: ceil(len(ticks) / most)]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [_plain(tick) for tick in ticks],
        "tickangle": 0,
    }


def _plain(value: float) -> str:
    """Digits where they are few, else as in 2e-5."""
    if 0.01 <= value < 1e4:
        return f"{value:g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


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
        xaxis={**axis, "title": {"text": x, "standoff": 10}},
        yaxis={**axis, "title": {"text": y, "standoff": 14}},
    )
    return go.Figure(traces, base.update(layout))
