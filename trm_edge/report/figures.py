"""The charts, as Plotly figures; each takes what it shows and the marks of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from trm_edge.evaluation.baseline import Measured
from trm_edge.evaluation.measure import NOTHING
from trm_edge.report.layers import LayerShift
from trm_edge.report.rows import Group
from trm_edge.report.style import FLOAT32_MARK, Mark, figure, text

Marks = Mapping[str, Mark]  # by the row's label
LEAST = 1e-7  # of 1 - cosine: carries are kept in float16, and less is rounding
_PERCENT = {"ticksuffix": " %"}


def latency_figure(group: Group, marks: Marks) -> go.Figure:
    """Exact match over milliseconds a puzzle: filled where halting is adaptive, else open."""
    traces = []
    for row in group.rows:
        if row.bench is not None:
            first = row.bench.latencies[0]
            each = first.p50 / first.slots
            steps = (row.bundle.config.halt_max_steps, row.parity.halting.steps_candidate)
            points = [
                (each * taken, mode.exact_candidate, mode.interval_candidate)
                for taken, mode in zip(steps, row.parity.modes, strict=True)
            ]
            traces.append(_points(row.label, marks[row.label], points))
    for reference in group.untwinned:
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
    drawn.update_xaxes(type="log", dtick="D2")
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
    drawn.update_xaxes(dtick=1)
    return drawn.update_yaxes(_PERCENT)


def carry_figure(group: Group, marks: Marks) -> go.Figure:
    """1 - cosine of both states to float32's, step by step."""
    traces = []
    for row in group.rows:
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
    drawn.update_xaxes(dtick=1)
    return drawn.update_yaxes(type="log", exponentformat="power", dtick=1)


def sensitivity_figure(shifts: Sequence[LayerShift], mark: Mark) -> go.Figure:
    """1 - cosine that each layer alone causes, after the first and the last step."""
    layers = [text(one.layer) for one in shifts]
    traces: list[Any] = [
        go.Scatter(
            name=name,
            x=[max(getattr(one, field), LEAST) for one in shifts],
            y=layers,
            mode="markers",
            marker={"color": mark.colour, "symbol": symbol, "size": 11, "line": {"width": 2}},
            hovertemplate="%{y}: %{x:.2e}",
        )
        for name, field, symbol in (
            ("after the first step", "first_step", mark.symbol),
            ("after the last", "last_step", mark.open_symbol),
        )
    ]
    drawn = figure(traces, x="1 - cosine", y="", height=110 + 26 * len(shifts), hovermode="closest")
    drawn.update_xaxes(type="log", exponentformat="power", dtick=1)
    return drawn.update_yaxes(autorange="reversed", type="category")


def exact_history(versions: Sequence[Measured]) -> go.Figure:
    """Exact match in both halting modes."""
    series = {
        mode: [100 * float(getattr(one.answers, f"right_{mode}").mean()) for one in versions]
        for mode in ("fixed", "adaptive")
    }
    return _history(versions, series, "exact match").update_yaxes(_PERCENT)


def latency_history(versions: Sequence[Measured]) -> go.Figure | None:
    """Medians of the ratios to each yardstick; None where no version holds a speed."""
    series: dict[str, list[float | None]] = {}
    cpus = {speed.machine.cpu for one in versions for speed in one.speeds}
    for place, one in enumerate(versions):
        for speed in one.speeds:
            where = f", {speed.machine.cpu}" if len(cpus) > 1 else ""
            for slots, by in speed.ratios.items():
                for yardstick, values in by.items():
                    seconds = yardstick == NOTHING
                    unit = "ms" if seconds else f"by the {yardstick}"
                    name = f"{slots} slot{'' if slots == '1' else 's'}, {unit}{where}"
                    line = series.setdefault(name, [None] * len(versions))
                    line[place] = (1e3 if seconds else 1.0) * float(np.median(values))
    return _history(versions, series, "a step's time") if series else None


def size_history(versions: Sequence[Measured]) -> go.Figure:
    """Of the step graph, and of the engine where there is one."""
    names = dict.fromkeys(name for one in versions for name in one.sizes)
    series = {
        name: [one.sizes[name] / 1e3 if name in one.sizes else None for one in versions]
        for name in names
    }
    return _history(versions, series, "kB").update_yaxes(rangemode="tozero")


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


def _history(
    versions: Sequence[Measured], series: Mapping[str, Sequence[float | None]], title: str
) -> go.Figure:
    made = [one.provenance["made"] for one in versions]
    dashes = ("solid", "dot", "dash", "dashdot")
    traces = [
        go.Scatter(
            name=text(name),
            x=made,
            y=list(values),
            mode="lines+markers",
            line={"color": f"var(--series-{place % 7 + 1})", "dash": dashes[place % 4]},
            hovertemplate="%{x|%Y-%m-%d}: %{y:.4g}",
        )
        for place, (name, values) in enumerate(series.items())
    ]
    drawn = figure(traces, x="", y=title, height=300, showlegend=True)
    return drawn.update_xaxes(type="date", nticks=5)
