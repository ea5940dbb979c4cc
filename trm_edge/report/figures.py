"""The charts, as Plotly figures; each takes what it shows and the marks of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.regression.baseline import Measurement
from trm_edge.report.history import Series
from trm_edge.report.rows import Group, Row
from trm_edge.report.style import FLOAT32_MARK, Mark, figure, log_axis, step_axis, text

Marks = Mapping[str, Mark]  # by the row's label
LEAST = 1e-7  # of 1 - cosine: carries are kept in float16, and less is rounding
_PERCENT = {"ticksuffix": " %"}


def latency_figure(group: Group, marks: Marks) -> go.Figure:
    """Exact match over milliseconds a puzzle: filled where halting is adaptive, else open."""
    traces = []
    for row in group.rows:
        if row.bench is not None:
            first = row.bench.latencies[0]
            each = first.p50_ms / first.slots
            steps = (row.bundle.config.halt_max_steps, row.parity.halting.steps_candidate)
            points = [
                (each * taken, mode.exact_candidate, mode.interval_candidate)
                for taken, mode in zip(steps, row.parity.modes, strict=True)
            ]
            traces.append(_points(row.label, marks[row.label], points))
    for reference in group.missing_references:
        row = reference.row
        ms = reference.ms_per_step(0)
        if row.bench is not None and ms is not None:
            each = ms / row.bench.latencies[0].slots
            steps = (row.bundle.config.halt_max_steps, row.parity.halting.steps_reference)
            points = [
                (each * taken, mode.exact_reference, mode.interval_reference)
                for taken, mode in zip(steps, row.parity.modes, strict=True)
            ]
            traces.append(_points(reference.label, FLOAT32_MARK, points))
    drawn = figure(
        traces,
        x="ms a puzzle, one after the other",
        y="exact match",
        height=380,
        hovermode="closest",
    )
    drawn.update_xaxes(log_axis(ms for trace in traces for ms in trace.x))
    return drawn.update_yaxes(_PERCENT)


def halting_figure(group: Group, marks: Marks) -> go.Figure:
    """Share of the puzzles that stop at each step."""
    traces = [
        _bars(one.label, FLOAT32_MARK, one.row.parity.halting.histogram_reference)
        for one in group.references
    ]
    traces += [
        _bars(row.label, marks[row.label], row.parity.halting.histogram_candidate)
        for row in group.rows
    ]
    drawn = figure(traces, x="step at which it stops", y="puzzles", height=340, barmode="group")
    drawn.update_xaxes(step_axis(max(len(trace.x) for trace in traces)), showgrid=False)
    return drawn.update_yaxes(_PERCENT)


def moves(row: Row) -> bool:
    """Whether a carry is anywhere further from float32's than rounding."""
    carry = row.parity.carry
    return any(1 - cosine > LEAST for cosine in (*carry.z_H, *carry.z_L))


def carry_figure(rows: Sequence[Row], marks: Marks) -> go.Figure:
    """1 - cosine of both states to float32's, step by step, of rows that move at all."""
    traces = []
    for row in rows:
        for state, dash in (("z_H", "solid"), ("z_L", "dot")):
            cosines = getattr(row.parity.carry, state)
            traces.append(
                go.Scatter(
                    name=text(f"{row.label}, {state}"),
                    x=list(range(1, len(cosines) + 1)),
                    y=[max(1 - cosine, LEAST) for cosine in cosines],
                    mode="lines+markers",
                    line={"color": marks[row.label].colour, "dash": dash, "width": 2},
                    marker={"symbol": marks[row.label].symbol, "size": 6},
                    hovertemplate="step %{x}: %{y:.2e}",
                )
            )
    drawn = figure(traces, x="step", y="1 - cosine", height=380)
    drawn.update_xaxes(step_axis(max(len(trace.x) for trace in traces)))
    return drawn.update_yaxes(log_axis(value for trace in traces for value in trace.y))


def sensitivity_figure(ranking: LayerRanking, mark: Mark) -> go.Figure:
    """1 - cosine that each layer alone causes, after the first and the last step."""
    layers = [
        text(one.layer.removeprefix("layers.").removesuffix("_proj")) for one in ranking.layers
    ]
    traces: list[Any] = [
        go.Scatter(
            name=name,
            x=[max(getattr(one, field), LEAST) for one in ranking.layers],
            y=layers,
            mode="markers",
            marker={
                "color": mark.colour,
                "symbol": symbol,
                "size": 11,
                "line": {"width": 2, "color": mark.colour},
            },
            hovertemplate="%{y}: %{x:.2e}",
        )
        for name, field, symbol in (
            ("after the first step", "first_step", mark.symbol),
            ("after the last", "last_step", mark.open_symbol),
        )
    ]
    drawn = figure(
        traces, x="1 - cosine", y="", height=110 + 26 * len(ranking.layers), hovermode="closest"
    )
    drawn.update_xaxes(log_axis((value for trace in traces for value in trace.x), most=4))
    return drawn.update_yaxes(autorange="reversed", type="category")


def history_figure(
    versions: Sequence[Measurement],
    series: Series,
    title: str,
    *,
    suffix: str = "",
    relative: bool = False,
) -> go.Figure:
    """Lines over the time at which each version was made.

    Args:
        relative: to the first value of each line, so that lines of any height can be compared.
    """
    made = [one.provenance["made"] for one in versions]
    dashes = ("solid", "dot", "dash", "dashdot")
    traces = [
        go.Scatter(
            name=text(name),
            x=made,
            y=_relative(values) if relative else list(values),
            customdata=list(values),
            mode="lines+markers",
            line={"color": f"var(--series-{place % 7 + 1})", "dash": dashes[place % 4]},
            hovertemplate="%{x|%Y-%m-%d}: %{customdata:.4g}",
        )
        for place, (name, values) in enumerate(series.items())
    ]
    drawn = figure(traces, x="", y=title, height=270 + 20 * len(series), showlegend=True)
    drawn.update_layout(legend={"y": -0.25, "yanchor": "top"})
    drawn.update_xaxes(type="date", nticks=5)
    if len(made) == 1:  # no time has passed, of which an axis could be made
        drawn.update_xaxes(tickvals=made, ticktext=[made[0][:10]])
    return drawn.update_yaxes(ticksuffix=suffix)


def _relative(values: Sequence[float | None]) -> list[float | None]:
    first = next((value for value in values if value), 1.0)
    return [None if value is None else value / first for value in values]


def _points(
    label: str, mark: Mark, points: Sequence[tuple[float, float, tuple[float, float]]]
) -> go.Scatter:
    """Fixed and adaptive halting of one model: milliseconds, share, interval."""
    return go.Scatter(
        name=text(label),
        x=[ms for ms, _, _ in points],
        y=[100 * share for _, share, _ in points],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (high - share) for _, share, (_, high) in points],
            "arrayminus": [100 * (share - low) for _, share, (low, _) in points],
            "thickness": 1.5,
        },
        customdata=["fixed", "adaptive"],
        mode="markers+lines",
        line={"color": mark.colour, "dash": "dot", "width": 1},
        marker={
            "color": mark.colour,
            "symbol": [mark.open_symbol, mark.symbol],
            "size": 12,
            "line": {"width": 2, "color": mark.colour},
        },
        hovertemplate="%{customdata} halting: %{y:.1f} % right, %{x:.3g} ms",
    )


def _bars(label: str, mark: Mark, counts: Sequence[int]) -> go.Bar:
    total = max(sum(counts), 1)
    return go.Bar(
        name=text(label),
        x=list(range(1, len(counts) + 1)),
        y=[100 * count / total for count in counts],
        customdata=list(counts),
        marker={"color": mark.colour},
        hovertemplate="step %{x}: %{customdata} puzzles, %{y:.1f} %",
    )
