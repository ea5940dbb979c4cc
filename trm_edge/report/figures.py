"""The charts as Plotly figures; each takes the data that it shows and the marks of the rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.regression.baseline import Measurement
from trm_edge.report.history import Series, created_at
from trm_edge.report.rows import ReferenceRow, ReportRow, RowGroup
from trm_edge.report.style import (
    FLOAT32_MARK,
    Mark,
    log_axis,
    make_figure,
    plotly_text,
)
from trm_edge.report.traces import (
    DASHES,
    MIN_CARRY_ERROR,
    PERCENT,
    AccuracyPoint,
    axis_values,
    bar_trace,
    carry_trace,
    error_bars,
    layer_trace,
    point_trace,
    step_axis_of,
)

Marks = Mapping[str, Mark]  # by the row's label


def latency_figure(group: RowGroup, marks: Marks) -> go.Figure:
    """Plot exact match over milliseconds per puzzle, for fixed and adaptive halting.

    Args:
        group: rows that are compared; those without timings are left out.
        marks: marks of the rows.
    """
    traces = []
    for row in group.rows:
        points = _row_points(row)
        if points:
            traces.append(point_trace(row.label, marks[row.label], points))
    for reference in group.missing_references:
        points = _reference_points(reference)
        if points:
            traces.append(point_trace(reference.label, FLOAT32_MARK, points))
    figure = make_figure(
        traces,
        x="ms per puzzle, one at a time",
        y="exact match",
        height=380,
        hovermode="closest",
    )
    figure.update_xaxes(log_axis(axis_values(traces, "x")))
    return figure.update_yaxes(PERCENT)


def _row_points(row: ReportRow) -> list[AccuracyPoint]:
    """Fixed and adaptive halting of a row; empty if it was not timed, or has no known answers."""
    if row.bench is None or not row.parity.labelled:
        return []
    latency = row.bench.latencies[0]
    ms_per_step = latency.p50_ms / latency.slots
    steps = (row.bundle.config.halt_max_steps, row.parity.halting.steps_candidate)
    points = []
    for count, mode in zip(steps, row.parity.modes, strict=True):
        point = AccuracyPoint(ms_per_step * count, mode.exact_candidate, mode.interval_candidate)
        points.append(point)
    return points


def _reference_points(reference: ReferenceRow) -> list[AccuracyPoint]:
    """Fixed and adaptive halting of the float32 model; empty if it was not timed."""
    row = reference.row
    ms = reference.ms_per_step(0)
    if row.bench is None or ms is None or not row.parity.labelled:
        return []
    ms_per_step = ms / row.bench.latencies[0].slots
    steps = (row.bundle.config.halt_max_steps, row.parity.halting.steps_reference)
    points = []
    for count, mode in zip(steps, row.parity.modes, strict=True):
        point = AccuracyPoint(ms_per_step * count, mode.exact_reference, mode.interval_reference)
        points.append(point)
    return points


def halting_figure(group: RowGroup, marks: Marks) -> go.Figure:
    """Plot the share of puzzles that halt at each step.

    Args:
        group: rows that are compared.
        marks: marks of the rows.
    """
    traces = []
    for reference in group.references:
        histogram = reference.row.parity.halting.histogram_reference
        traces.append(bar_trace(reference.label, FLOAT32_MARK, histogram))
    for row in group.rows:
        histogram = row.parity.halting.histogram_candidate
        traces.append(bar_trace(row.label, marks[row.label], histogram))
    figure = make_figure(traces, x="halting step", y="puzzles", height=340, barmode="group")
    figure.update_xaxes(step_axis_of(traces), showgrid=False)
    return figure.update_yaxes(PERCENT)


def coverage_figure(rows: Sequence[ReportRow], marks: Marks) -> go.Figure:
    """Plot the share of wrong answers over the share of puzzles that are answered.

    Args:
        rows: rows whose right answers are known.
        marks: marks of the rows.
    """
    traces = []
    for row in rows:
        coverage = row.parity.coverage
        if coverage is None:
            continue
        points = []
        risks = []
        for point in coverage.candidate:
            if point.risk is not None:
                points.append(point)
                risks.append(point.risk)
        mark = marks[row.label]
        traces.append(
            go.Scatter(
                name=plotly_text(row.label),
                x=[100 * point.coverage for point in points],
                y=[100 * risk for risk in risks],
                error_y=error_bars(risks, [point.risk_interval for point in points]),
                customdata=[100 * point.min_confidence for point in points],
                mode="lines+markers",
                line={"color": mark.colour, "width": 2},
                marker={"symbol": mark.symbol, "size": 8},
                hovertemplate="confidence %{customdata:.4g} %: %{x:.1f} % answered, "
                "%{y:.2f} % of these wrong",
            )
        )
    figure = make_figure(traces, x="puzzles answered", y="wrong answers", height=340)
    figure.update_xaxes(PERCENT)
    return figure.update_yaxes(PERCENT, rangemode="tozero")


def has_carry_error(row: ReportRow) -> bool:
    """Check if a carry differs from float32's by more than rounding after any step.

    Args:
        row: the row.
    """
    for cosines in row.parity.carry.states.values():
        if any(1 - cosine > MIN_CARRY_ERROR for cosine in cosines):
            return True
    return False


def carry_figure(rows: Sequence[ReportRow], marks: Marks) -> go.Figure:
    """Plot 1 - cosine between the carry of each row and float32's, step by step.

    Args:
        rows: rows with an error worth drawing; see :func:`has_carry_error`.
        marks: marks of the rows.
    """
    traces = []
    for row in rows:
        mark = marks[row.label]
        states = row.parity.carry.states
        for (state, cosines), dash in zip(states.items(), itertools.cycle(DASHES)):
            traces.append(carry_trace(f"{row.label}, {state}", cosines, mark, dash))
    figure = make_figure(traces, x="step", y="1 - cosine", height=380)
    figure.update_xaxes(step_axis_of(traces))
    return figure.update_yaxes(log_axis(axis_values(traces, "y")))


def sensitivity_figure(ranking: LayerRanking, mark: Mark) -> go.Figure:
    """Plot 1 - cosine of the carry that quantizing each layer alone causes.

    Args:
        ranking: the layers of a bundle.
        mark: mark of the bundle's row; filled for the first step, open for the last.
    """
    names = []
    first_errors = []
    last_errors = []
    for layer in ranking.layers:
        name = layer.layer.removeprefix("layers.").removesuffix("_proj")
        names.append(plotly_text(name))
        first_errors.append(max(layer.first_step, MIN_CARRY_ERROR))
        last_errors.append(max(layer.last_step, MIN_CARRY_ERROR))
    first = layer_trace("after the first step", first_errors, names, mark.colour, mark.symbol)
    last = layer_trace("after the last step", last_errors, names, mark.colour, mark.open_symbol)
    figure = make_figure(
        [first, last],
        x="1 - cosine",
        y="",
        height=110 + 26 * len(names),
        hovermode="closest",
    )
    figure.update_xaxes(log_axis([*first_errors, *last_errors], max_ticks=4))
    return figure.update_yaxes(autorange="reversed", type="category")


def history_figure(
    versions: Sequence[Measurement],
    series: Series,
    title: str,
    *,
    suffix: str = "",
    relative: bool = False,
) -> go.Figure:
    """Plot lines over the time at which each baseline was made.

    Args:
        versions: the baselines, the oldest first.
        series: the lines, with a value for each baseline.
        title: of the vertical axis.
        suffix: unit after each number of the vertical axis.
        relative: divide each line by its first value, so that lines of any height compare.
    """
    dates = [created_at(version) for version in versions]
    traces = []
    for index, (name, values) in enumerate(series.items()):
        drawn = list(values)
        if relative:
            drawn = _relative_to_first(values)
        trace = go.Scatter(
            name=plotly_text(name),
            x=dates,
            y=drawn,
            customdata=list(values),
            mode="lines+markers",
            line={"color": f"var(--series-{index % 7 + 1})", "dash": DASHES[index % 4]},
            hovertemplate="%{x|%Y-%m-%d}: %{customdata:.4g}",
        )
        traces.append(trace)
    height = 270 + 20 * len(series)
    figure = make_figure(traces, x="", y=title, height=height, showlegend=True)
    figure.update_layout(legend={"y": -0.25, "yanchor": "top"})
    figure.update_xaxes(type="date", nticks=5)
    if len(dates) == 1:  # an axis needs a range of dates; label the single one
        figure.update_xaxes(tickvals=dates, ticktext=[dates[0][:10]])
    return figure.update_yaxes(ticksuffix=suffix)


def _relative_to_first(values: Sequence[float | None]) -> list[float | None]:
    first = next((value for value in values if value), 1.0)
    return [None if value is None else value / first for value in values]
