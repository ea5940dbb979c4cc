from __future__ import annotations

import json

import plotly.graph_objects as go
import pytest

from trm_edge.report.style import Mark
from trm_edge.report.traces import (
    MIN_CARRY_ERROR,
    AccuracyPoint,
    axis_values,
    bar_trace,
    carry_trace,
    error_bars,
    layer_trace,
    point_trace,
    step_axis_of,
)

MARK = Mark("red", "circle")


def test_carries_closer_than_float16_can_tell_are_drawn_at_its_rounding() -> None:
    """1 - cosine may be 0 or negative, which a logarithmic axis cannot show."""
    trace = carry_trace("int8", [0.9, 1.0, 1.0000001], MARK, "dot")
    assert list(trace.x) == [1, 2, 3]
    assert list(trace.y) == [pytest.approx(0.1), MIN_CARRY_ERROR, MIN_CARRY_ERROR]
    assert trace.line.dash == "dot"


def test_names_are_plain_text() -> None:
    name = "<b>a & b"
    expected = "&lt;b&gt;a &amp; b"
    point = AccuracyPoint(1.0, 0.5, (0.4, 0.6))
    assert carry_trace(name, [1.0], MARK, "solid").name == expected
    assert point_trace(name, MARK, [point, point]).name == expected
    assert bar_trace(name, MARK, [1]).name == expected


def test_error_bars_are_distances_in_percent() -> None:
    bars = error_bars([0.5, 1.0, 0.0], [(0.4, 0.7), (0.9, 1.0), (0.0, 0.1)])
    assert bars["array"] == pytest.approx([20, 0, 10])
    assert bars["arrayminus"] == pytest.approx([10, 10, 0])
    assert min(*bars["array"], *bars["arrayminus"]) >= 0


def test_a_share_without_its_interval_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        error_bars([0.5, 0.6], [(0.4, 0.6)])


def test_fixed_halting_is_open_and_adaptive_is_filled() -> None:
    fixed = AccuracyPoint(8.0, 0.5, (0.4, 0.6))
    adaptive = AccuracyPoint(2.0, 0.49, (0.39, 0.59))
    trace = point_trace("int8", MARK, [fixed, adaptive])
    assert list(trace.marker.symbol) == ["circle-open", "circle"]
    assert list(trace.x) == [8.0, 2.0]
    assert list(trace.y) == [50.0, 49.0]
    assert list(trace.customdata) == ["fixed", "adaptive"]


def test_bars_are_shares_and_keep_the_counts() -> None:
    trace = bar_trace("int8", MARK, [3, 0, 1])
    assert list(trace.y) == [75, 0, 25]
    assert list(trace.customdata) == [3, 0, 1]


def test_bars_without_a_puzzle_are_empty() -> None:
    assert list(bar_trace("int8", MARK, [0, 0]).y) == [0, 0]


def test_layers_are_drawn_in_their_order() -> None:
    trace = layer_trace("worst", [1e-3, 1e-6], ["head", "mlp"], "blue", "square")
    assert list(zip(trace.x, trace.y, strict=True)) == [(1e-3, "head"), (1e-6, "mlp")]


def test_an_axis_has_room_for_the_longest_trace() -> None:
    traces = [bar_trace("a", MARK, [1] * 16), bar_trace("b", MARK, [1] * 4)]
    assert step_axis_of(traces)["range"] == [0.4, 16.6]
    assert step_axis_of(traces[1:])["range"] == [0.4, 4.6]


def test_values_of_all_traces_are_collected() -> None:
    traces = [go.Scatter(x=[1, 2], y=[5, 6]), go.Scatter(x=[3], y=[7])]
    assert axis_values(traces, "x") == [1, 2, 3]
    assert axis_values(traces, "y") == [5, 6, 7]
    assert axis_values([], "y") == []


def test_traces_are_json_of_numbers() -> None:
    """Plotly would pack numpy arrays; the page's own scripts read plain lists."""
    values = json.loads(bar_trace("a", MARK, [1, 2]).to_json())
    assert values["customdata"] == [1, 2]
