"""Lines, points and bars of the report's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from trm_edge.report.style import (
    Mark,
    plotly_text,
    step_axis,
)

MIN_CARRY_ERROR = 1e-7  # of 1 - cosine: carries are stored in float16, and less is rounding
PERCENT = {"ticksuffix": " %"}
DASHES = ("solid", "dot", "dash", "dashdot")


class AccuracyPoint(NamedTuple):
    """Exact match of one halting mode at what a puzzle costs.

    Args:
        ms: milliseconds per puzzle.
        share: exact match, 0 to 1.
        interval: its 95 % interval.
    """

    ms: float
    share: float
    interval: tuple[float, float]


def carry_trace(name: str, cosines: Sequence[float], mark: Mark, dash: str) -> go.Scatter:
    """Plot how far a carry is from that of float32, by step.

    Args:
        name: of the line.
        cosines: between both carries after each step.
        mark: of the row.
        dash: of the line, of ``DASHES``.
    """
    return go.Scatter(
        name=plotly_text(name),
        x=list(range(1, len(cosines) + 1)),
        y=[max(1 - cosine, MIN_CARRY_ERROR) for cosine in cosines],
        mode="lines+markers",
        line={"color": mark.colour, "dash": dash, "width": 2},
        marker={"symbol": mark.symbol, "size": 6},
        hovertemplate="step %{x}: %{y:.2e}",
    )


def layer_trace(
    name: str, errors: list[float], layers: list[str], colour: str, symbol: str
) -> go.Scatter:
    """Plot the error that each layer causes, a point a layer.

    Args:
        name: of the points.
        errors: one a layer.
        layers: their names.
        colour: of the points.
        symbol: of the points.
    """
    return go.Scatter(
        name=name,
        x=errors,
        y=layers,
        mode="markers",
        marker={
            "color": colour,
            "symbol": symbol,
            "size": 11,
            "line": {"width": 2, "color": colour},
        },
        hovertemplate="%{y}: %{x:.2e}",
    )


def point_trace(label: str, mark: Mark, points: Sequence[AccuracyPoint]) -> go.Scatter:
    """Plot fixed (open) and adaptive (filled) halting of one model.

    Args:
        label: of the model.
        mark: of the model.
        points: the two modes.
    """
    shares = [point.share for point in points]
    return go.Scatter(
        name=plotly_text(label),
        x=[point.ms for point in points],
        y=[100 * share for share in shares],
        error_y=error_bars(shares, [point.interval for point in points]),
        customdata=["fixed", "adaptive"],
        mode="markers+lines",
        line={"color": mark.colour, "dash": "dot", "width": 1},
        marker={
            "color": mark.colour,
            "symbol": [mark.open_symbol, mark.symbol],
            "size": 12,
            "line": {"width": 2, "color": mark.colour},
        },
        hovertemplate="%{customdata} halting: %{y:.1f} % correct, %{x:.3g} ms",
    )


def error_bars(shares: Sequence[float], intervals: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Describe Plotly's error bars in %.

    Args:
        shares: 0 to 1.
        intervals: of each share, 0 to 1.
    """
    upper = []
    lower = []
    for share, (low, high) in zip(shares, intervals, strict=True):
        upper.append(100 * (high - share))
        lower.append(100 * (share - low))
    return {
        "type": "data",
        "symmetric": False,
        "array": upper,
        "arrayminus": lower,
        "thickness": 1.5,
    }


def bar_trace(label: str, mark: Mark, counts: Sequence[int]) -> go.Bar:
    """Plot how many puzzles halt after each step, in % of all.

    Args:
        label: of the model.
        mark: of the model.
        counts: puzzles by step.
    """
    total = max(sum(counts), 1)
    return go.Bar(
        name=plotly_text(label),
        x=list(range(1, len(counts) + 1)),
        y=[100 * count / total for count in counts],
        customdata=list(counts),
        marker={"color": mark.colour},
        hovertemplate="step %{x}: %{customdata} puzzles, %{y:.1f} %",
    )


def step_axis_of(traces: Sequence[Any]) -> dict[str, Any]:
    """Describe an axis that has room for the steps of all traces.

    Args:
        traces: whose ``x`` are steps, from 1.
    """
    return step_axis(max(len(trace.x) for trace in traces))


def axis_values(traces: Sequence[Any], axis: str) -> list[float]:
    """Collect the values of traces along an axis.

    Args:
        traces: of a figure.
        axis: ``x`` or ``y``.
    """
    values: list[float] = []
    for trace in traces:
        values += trace[axis]
    return values
