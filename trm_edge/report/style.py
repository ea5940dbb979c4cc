"""The look of the charts. Colours are CSS variables of the page, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any

import plotly.graph_objects as go

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon")
_TEXT = "var(--text)"
_GRID = "var(--grid)"
_TRANSPARENT = "rgba(0,0,0,0)"
_MAX_STEP_LABELS = 8  # as many as a phone has room for
_TICK_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))  # within a decade


@dataclass(frozen=True)
class Mark:
    """Colour and symbol of one row in every chart.

    Args:
        colour: a CSS colour.
        symbol: a marker symbol of Plotly.
    """

    colour: str
    symbol: str

    @property
    def open_symbol(self) -> str:
        """The same symbol, not filled."""
        return f"{self.symbol}-open"


FLOAT32_MARK = Mark("var(--float32)", "x")


def mark_of(index: int) -> Mark:
    """Choose the mark of a row; colours and symbols repeat after seven rows.

    Args:
        index: position of the row in the report, from 0.
    """
    number = index % len(_SYMBOLS)
    return Mark(f"var(--series-{number + 1})", _SYMBOLS[number])


def plotly_text(value: str) -> str:
    """Escape a text for Plotly, which interprets some tags and entities.

    Args:
        value: plain text.
    """
    return escape(value, quote=False)


def step_axis(steps: int) -> dict[str, Any]:
    """Describe an axis of ACT steps that starts at step 1.

    Args:
        steps: number of the last step.
    """
    stride = ceil(steps / _MAX_STEP_LABELS)
    return {
        "range": [0.4, steps + 0.6],
        "tickvals": list(range(stride, steps + 1, stride)),
        "tickangle": 0,
    }


def log_axis(values: Iterable[float], max_ticks: int = 6) -> dict[str, Any]:
    """Describe a logarithmic axis with plain numbers at its ticks.

    Args:
        values: everything that is drawn along the axis, positive.
        max_ticks: number of labelled ticks, at most.
    """
    logarithms = [log10(value) for value in values]
    low = min(logarithms)
    high = max(logarithms)
    margin = max(0.08, 0.05 * (high - low))  # so that no mark is cut off
    low -= margin
    high += margin
    ticks: list[float] = []
    for steps in _TICK_STEPS:
        ticks = _ticks(low, high, steps)
        if len(ticks) >= max_ticks - 2:
            break
    ticks = ticks[:: ceil(len(ticks) / max_ticks)]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [_short_number(tick) for tick in ticks],
        "tickangle": 0,
    }


def _ticks(low: float, high: float, steps: Iterable[float]) -> list[float]:
    """Multiples ``steps`` of the powers of ten between 10**low and 10**high."""
    ticks = []
    for decade in range(floor(low), ceil(high) + 1):
        for step in steps:
            tick = step * 10**decade
            if low <= log10(tick) <= high:
                ticks.append(tick)
    return ticks


def _short_number(value: float) -> str:
    """Plain digits if there are few of them, otherwise as in 2e-5."""
    if 0.01 <= value < 1e4:
        return f"{value:g}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def make_figure(traces: list[Any], *, x: str, y: str, height: int, **layout: Any) -> go.Figure:
    """Build a figure as wide as the page allows.

    Nothing zooms, so that a finger on a chart scrolls the page.

    Args:
        traces: the Plotly traces.
        x: title of the horizontal axis.
        y: title of the vertical axis.
        height: in pixels.
        layout: further properties of Plotly's layout.
    """
    axis = {
        "automargin": True,
        "fixedrange": True,
        "gridcolor": _GRID,
        "linecolor": _GRID,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": _GRID,
    }
    base = go.Layout(
        template="none",
        autosize=True,
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        font={"family": "system-ui, sans-serif", "size": 13, "color": _TEXT},
        paper_bgcolor=_TRANSPARENT,
        plot_bgcolor=_TRANSPARENT,
        hoverlabel={
            "bgcolor": "var(--card)",
            "bordercolor": _GRID,
            "font": {"color": _TEXT},
            "namelength": -1,
        },
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        dragmode=False,
        xaxis={**axis, "title": {"text": x, "standoff": 10}},
        yaxis={**axis, "title": {"text": y, "standoff": 14}},
    )
    return go.Figure(traces, base.update(layout))
