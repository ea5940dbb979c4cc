"""The section with baselines over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trm_edge.report.builder import PageBuilder
from trm_edge.report.figures import history_figure
from trm_edge.report.history import (
    History,
    created_at,
    exact_series,
    latency_series,
    size_series,
)
from trm_edge.report.markup import Content, Markup, chart_data, element, section

_TITLE = "Baselines over time"


def history_section(builder: PageBuilder) -> Markup:
    """Build the section; it says how to get one if the report has no baselines.

    Args:
        builder: holds the report and collects the charts.
    """
    histories = builder.report.histories
    if not histories:
        lead = "No baseline was passed. --baseline FILE draws a baseline of trm-edge regress."
        return section(_TITLE, lead)
    parts: list[Content] = []
    for history in histories:
        if len(histories) > 1 or history.notes:
            parts.append(element("h3", history.path))
        parts += [element("p", note, class_="small") for note in history.notes]
        if history.versions:
            parts.append(element("div", *_charts(builder, history), class_="charts"))
            parts.append(_data(history))
    lead = (
        "Each point is a baseline, as committed or as it is in the working tree. Times are ratios "
        "to a reference workload timed beside them, relative to the first baseline: lower is "
        "faster."
    )
    return section(_TITLE, lead, *parts)


def _charts(builder: PageBuilder, history: History) -> Iterator[Markup]:
    versions = history.versions
    exact = history_figure(versions, exact_series(versions), "exact match", suffix=" %")
    yield builder.chart(exact, "exact match")
    latencies = latency_series(versions)
    if latencies:
        title = "step time, first baseline = 1"
        yield builder.chart(
            history_figure(versions, latencies, title, relative=True), "time of a step"
        )
    size = history_figure(versions, size_series(versions), "kB")
    yield builder.chart(size.update_yaxes(rangemode="tozero"), "size")


def _data(history: History) -> Markup:
    versions = history.versions
    series: dict[str, Sequence[float | None]] = {}
    for name, values in exact_series(versions).items():
        series[f"exact, {name}"] = values
    series.update(latency_series(versions))
    for name, values in size_series(versions).items():
        series[f"kB, {name}"] = values
    rows = []
    for index, version in enumerate(versions):
        cells = [_figure(values[index]) for values in series.values()]
        rows.append([created_at(version)[:10], *cells])
    return chart_data(["created", *series], rows)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}"
