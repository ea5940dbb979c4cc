"""The whole page as one string: nothing in it comes from anywhere else when it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from trm_edge.evaluation.ranking import LayerRanking
from trm_edge.report import figures as draw
from trm_edge.report.history import History, exact_series, latency_series, size_series
from trm_edge.report.markup import Content, Markup, element, embedded, figures_of, joined, section
from trm_edge.report.overview import engines, overview
from trm_edge.report.player import Played, player
from trm_edge.report.refinement import Refinement
from trm_edge.report.rows import Group, Row
from trm_edge.report.style import mark_of


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    version: str  # of trm-edge
    made: str  # when, for people
    machines: tuple[tuple[str, str], ...]  # what was done there, and what it is
    groups: tuple[Group, ...]
    layers: tuple[tuple[Row, LayerRanking], ...]  # of the bundles that hold a ranking
    histories: tuple[History, ...]
    refinements: tuple[Refinement, ...]

    @property
    def rows(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows]


def render(report: Report) -> str:
    """HTML that needs no network and no other file."""
    page = _Page(report)
    content = joined(page.sections())
    template = Template(_file("page.html"))
    return template.substitute(
        title=element("title", f"trm-edge: {', '.join(row.label for row in report.rows)}"),
        style=_file("page.css"),
        content=content,
        figures=embedded(page.figures),
        refinements=embedded([one.data for one in page.played]),
        plotly=_inline(get_plotlyjs()),
        script=_file("charts.js") + _file("player.js"),
    )


class _Page:
    """Collects figures and players while the sections are made."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.marks = {row.label: mark_of(place) for place, row in enumerate(report.rows)}
        self.figures: list[Any] = []
        self.played: list[Played] = []

    def sections(self) -> Iterator[Markup]:
        yield self._head()
        yield self._latency()
        yield self._halting()
        yield self._carry()
        yield self._layers()
        yield self._history()
        yield self._refinements()

    def _head(self) -> Markup:
        report = self.report
        bundles = dict.fromkeys(str(row.bundle.path) for row in report.rows)
        facts = [("Bundles", ", ".join(bundles)), *report.machines, ("Made", report.made)]
        told = [
            part
            for name, value in (*facts, ("trm-edge", report.version))
            for part in (element("dt", name), element("dd", value))
        ]
        parts: list[Content] = [element("dl", *told)]
        for group in report.groups:
            parts += [self._heading(group), overview(group, self.marks), self._puzzles(group)]
        how = (
            "Exact match is the share of held-out puzzles with every cell right, with its 95 % "
            "interval; a star marks what no other row beats in both accuracy and latency."
        )
        if any(row.bench is not None for row in report.rows):
            text = (
                "ms: the median of one ACT step of so many slots. times float32: how much quicker "
                "that is than float32's, taken in turns."
            )
            parts.append(element("p", text, class_="small"))
        head = element("h1", "How these bundles do")
        return element(
            "header", head, element("p", how, class_="how"), *parts, engines(report.groups)
        )

    def _puzzles(self, group: Group) -> Markup:
        counts = sorted({row.parity.puzzles for row in group.rows})
        text = f"On {' and '.join(f'{count:,}' for count in counts)} held-out puzzles."
        if not all(row.parity.labelled for row in group.rows):
            text += " No answers are known for them: float32's own count as right."
        broken = [f"{row.label}: {problem}." for row in group.rows for problem in row.broken]
        return element("p", " ".join([text, *broken]), class_="small")

    def _latency(self) -> Markup:
        how = (
            "Up and to the left is better: filled marks halt adaptively, open ones take every "
            "step, bars are 95 % intervals, and the puzzles come one after the other."
        )
        parts: list[Content] = []
        for group in self.report.groups:
            if any(row.bench is not None for row in group.rows):
                drawn = draw.latency_figure(group, self.marks)
                parts += [self._heading(group), self._chart(drawn, "exact match over latency")]
        if not parts:
            how = "Nothing was timed for this report: it was made with --no-bench."
        return section("Accuracy against latency", how, *parts)

    def _halting(self) -> Markup:
        parts: list[Content] = []
        for group in self.report.groups:
            drawn = draw.halting_figure(group, self.marks)
            shown = [
                *(
                    (one.label, one.row.parity.halting.histogram_reference)
                    for one in group.references
                ),
                *((row.label, row.parity.halting.histogram_candidate) for row in group.rows),
            ]
            steps = range(1, max(len(counts) for _, counts in shown) + 1)
            columns = ["puzzles that stop at step", *map(str, steps)]
            rows = [[label, *map(str, counts)] for label, counts in shown]
            parts += [
                self._heading(group),
                self._chart(drawn, "at which step puzzles stop"),
                figures_of(columns, rows),
            ]
        how = (
            "The halting head ends a puzzle when it is sure: where the bars of a bundle differ "
            "from float32's, its quantization moved that decision."
        )
        return section("When it stops", how, *parts)

    def _carry(self) -> Markup:
        parts: list[Content] = []
        for group in self.report.groups:
            moving = [row for row in group.rows if draw.moves(row)]
            still = [row.label for row in group.rows if not draw.moves(row)]
            rows = [
                [f"{row.label}, {state}", *(f"{1 - value:.1e}" for value in values)]
                for row in group.rows
                for state, values in (("z_H", row.parity.carry.z_H), ("z_L", row.parity.carry.z_L))
            ]
            steps = range(1, max(len(row) for row in rows))
            parts.append(self._heading(group))
            if moving:
                drawn = draw.carry_figure(moving, self.marks)
                parts.append(self._chart(drawn, "how far the carry is from float32's, by step"))
            if still:
                text = f"{', '.join(still)}: no further from float32 than rounding, and not drawn."
                parts.append(element("p", text, class_="small"))
            parts.append(figures_of(["1 - cosine after step", *map(str, steps)], rows))
        how = (
            "How far the two states of the recursion are from float32's after each step: a line "
            "that climbs is an error that grows with depth; a ten-millionth is rounding."
        )
        return section("The carry by depth", how, *parts)

    def _layers(self) -> Markup:
        if not self.report.layers:
            how = (
                "No bundle here says what each layer's quantization costs: trm-edge export "
                "--sensitivity measures that and keeps it in the bundle."
            )
            return section("Sensitivity by layer", how)
        parts: list[Content] = []
        for row, ranking in self.report.layers:
            drawn = draw.sensitivity_figure(ranking, self.marks[row.label])
            columns = ["layer", "first step", "last step", "halting head", "lost", "gained"]
            figures = [
                [
                    one.layer,
                    f"{one.first_step:.1e}",
                    f"{one.last_step:.1e}",
                    f"{one.halting:.3f}",
                    str(one.lost),
                    str(one.gained),
                ]
                for one in ranking.layers
            ]
            count = ranking.puzzles
            parts += [
                element("h3", f"{row.label}, {count} calibration puzzles"),
                self._chart(drawn, "what quantizing each layer alone does to the carry"),
                figures_of(columns, figures),
            ]
        how = (
            "Each layer quantized alone: the further to the right, the more it moves the carry, "
            "and the first to go back to float where accuracy is short."
        )
        return section("Sensitivity by layer", how, *parts)

    def _history(self) -> Markup:
        histories = self.report.histories
        if not histories:
            how = "No baseline was given: --baseline FILE draws what trm-edge regress keeps."
            return section("Baselines over time", how)
        parts: list[Content] = []
        for one in histories:
            if len(histories) > 1 or one.notes:
                parts.append(element("h3", one.path))
            parts += [element("p", note, class_="small") for note in one.notes]
            if one.versions:
                charts = element("div", *self._history_charts(one), class_="charts")
                parts += [charts, _history_table(one)]
        how = (
            "Each point is a baseline as it was committed, or as it is now; times are ratios to "
            "what was timed beside them, drawn against the first: less is quicker."
        )
        return section("Baselines over time", how, *parts)

    def _history_charts(self, history: History) -> Iterator[Markup]:
        versions = history.versions
        exact, latency = exact_series(versions), latency_series(versions)
        size = size_series(versions)
        drawn = draw.history_figure(versions, exact, "exact match", suffix=" %")
        yield self._chart(drawn, "exact match")
        if latency:
            drawn = draw.history_figure(versions, latency, "a step, the first is 1", relative=True)
            yield self._chart(drawn, "time of a step")
        drawn = draw.history_figure(versions, size, "kB").update_yaxes(rangemode="tozero")
        yield self._chart(drawn, "size")

    def _refinements(self) -> Markup:
        parts = []
        for one in self.report.refinements:
            played = player(one, len(self.played))
            self.played.append(played)
            parts.append(played.markup)
        how = (
            "A puzzle that took long, as it is predicted after each step: cells with a frame "
            "changed at that step, and each bar is how sure the halting head is then."
        )
        players = element("div", *parts, class_="refinements")
        return section("One puzzle, step by step", how, players)

    def _heading(self, group: Group) -> Content:
        """Nothing where there is nothing to tell apart."""
        return element("h3", group.name) if len(self.report.groups) > 1 else ""

    def _chart(self, figure: go.Figure, what: str) -> Markup:
        self.figures.append(figure.to_plotly_json())
        return element(
            "div",
            class_="chart",
            id=f"chart-{len(self.figures) - 1}",
            role="img",
            aria_label=f"Chart: {what}",
            style=f"min-height: {figure.layout.height}px",
        )


def _history_table(history: History) -> Markup:
    versions = history.versions
    series: dict[str, Sequence[float | None]] = {
        **{f"exact, {name}": values for name, values in exact_series(versions).items()},
        **latency_series(versions),
        **{f"kB, {name}": values for name, values in size_series(versions).items()},
    }
    rows = [
        [
            one.provenance["made"][:10],
            *(
                "-" if values[place] is None else f"{values[place]:.4g}"
                for values in series.values()
            ),
        ]
        for place, one in enumerate(versions)
    ]
    return figures_of(["made", *series], rows)


def _inline(script: str) -> str:
    """A script that cannot end its element early."""
    return script.replace("</script", "<\\/script")


def _file(name: str) -> str:
    return (resources.files("trm_edge.report") / name).read_text(encoding="utf-8")
