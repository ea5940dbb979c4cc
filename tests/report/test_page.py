from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.samples import HOSTILE, baseline, hostile_ranking, ranking, report
from trm_edge.report.content import Report
from trm_edge.report.history import History
from trm_edge.report.page import render
from trm_edge.report.rows import RowGroup

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """The elements of a page, their texts, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.texts: dict[str, list[str]] = {}
        self.scripts: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self.links += [attributes[name] or "" for name in ("src", "href") if name in attributes]
        self.ids.add(attributes.get("id") or "")
        if tag not in VOID:
            self._open.append((tag, attributes.get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag, name = self._open[-1] if self._open else ("", "")
        if tag == "script":
            self.scripts[name] = self.scripts.get(name, "") + data
        else:
            self.texts.setdefault(tag, []).append(data)


@pytest.fixture(scope="module")
def full(toy_bundle: Path) -> Report:
    return report(toy_bundle)


@pytest.fixture(scope="module")
def page(full: Report) -> Page:
    return Page(render(full))


def figures(page: Page) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads(page.scripts["figures"])
    return content


def test_every_section_has_a_heading(page: Page) -> None:
    assert page.texts["h1"] == ["trm-edge report"]
    assert page.texts["h2"] == [
        "Accuracy and latency",
        "Halting steps",
        "Answers that can be relied on",
        "Carry error by step",
        "Layer sensitivity",
        "Baselines over time",
        "One puzzle, step by step",
    ]
    assert page.tags.count("section") == 7


def test_nothing_is_loaded_from_elsewhere(full: Report) -> None:
    html = render(full)
    assert Page(html).links == ["data:,"]
    assert "default-src 'none'" in html
    before_data = html.partition('<script type="application/json" id="figures">')[0]
    assert "http" not in before_data.replace("http-equiv", "")
    assert html.count("Plotly.react") >= 1
    assert len(html.encode()) < 6_000_000


def test_every_chart_has_an_element_and_data(page: Page) -> None:
    names = []
    for figure in figures(page):
        names.append([trace["name"] for trace in figure["data"]])
    assert names[0] == ["toy", "toy again", "float32"]
    assert names[2] == ["float32", "toy", "toy again"]
    assert names[4] == ["toy", "toy again"]
    assert names[6] == ["toy, z_H", "toy, z_L", "toy again, z_H", "toy again, z_L"]
    assert names[8] == ["after the first step", "after the last step"]
    assert names[9] == ["fixed", "adaptive"]
    assert any(name.startswith("1 slot, relative to float32") for name in names[10])
    assert len(names[11]) == 1
    assert len(names) == 12
    assert {f"chart-{index}" for index in range(12)} <= page.ids


def test_charts_show_the_figures_of_the_rows(full: Report, page: Page) -> None:
    row = full.groups[0].rows[0]
    fixed = row.parity.fixed
    adaptive = row.parity.adaptive
    drawn = figures(page)
    points = drawn[0]["data"][0]
    steps = [row.bundle.config.halt_max_steps, row.parity.halting.steps_candidate]
    assert points["x"] == pytest.approx([2.0 * count for count in steps])
    exact = [100 * fixed.exact_candidate, 100 * adaptive.exact_candidate]
    assert points["y"] == pytest.approx(exact)
    upper = 100 * (fixed.interval_candidate[1] - fixed.exact_candidate)
    assert points["error_y"]["array"][0] == pytest.approx(upper)
    float32 = drawn[0]["data"][2]
    steps[1] = row.parity.halting.steps_reference
    assert float32["x"] == pytest.approx([2.0 * 2.5 * count for count in steps])
    histogram = drawn[2]["data"][1]
    assert histogram["customdata"] == list(row.parity.halting.histogram_candidate)
    risk = drawn[4]["data"][0]
    assert row.parity.coverage is not None
    answered = [point for point in row.parity.coverage.candidate if point.answered]
    assert risk["x"] == pytest.approx([100 * point.coverage for point in answered])
    assert risk["y"] == pytest.approx([100 * point.wrong / point.answered for point in answered])
    carry = drawn[6]["data"][0]
    errors = [max(1 - cosine, 1e-7) for cosine in row.parity.carry.states["z_H"]]
    assert carry["y"] == pytest.approx(errors)


def test_the_overview_has_every_figure(page: Page) -> None:
    for text in ("2.00", "64.00", "321", "87", "0.5", "met"):
        assert text in page.texts["td"], text
    assert {"cpu, fp32", "cpu, int8", "2.40 to 2.60"} <= set(page.texts["small"])
    assert " ★" in page.texts["span"]


def test_missing_parts_are_explained(toy_bundle: Path) -> None:
    empty = replace(report(toy_bundle, timed=False), rankings=(), histories=())
    page = Page(render(empty))
    text = " ".join(page.texts["p"])
    assert "Nothing was timed: this report was made with --no-bench." in text
    assert "trm-edge export --sensitivity measures one" in text
    assert "No baseline was passed. --baseline FILE" in text
    assert "puzzles/s" not in page.texts["th"]
    note = "b.json was written by another version."
    history = History("b.json", (), (note,))
    page = Page(render(replace(empty, histories=(history,))))
    assert note in page.texts["p"]


def test_without_known_answers_no_accuracy_is_drawn(full: Report) -> None:
    groups = []
    for group in full.groups:
        rows = [replace(row, parity=replace(row.parity, labelled=False)) for row in group.rows]
        groups.append(replace(group, rows=tuple(rows)))
    page = Page(render(replace(full, groups=tuple(groups))))
    text = " ".join(page.texts["p"])
    assert "No right answers are known, so there is no accuracy to draw." in text
    assert "Without them exact match cannot be measured" in text
    assert "as float32" in page.texts["small"]


def test_a_single_group_has_no_heading(full: Report, page: Page) -> None:
    assert "another" in page.texts["h3"]
    single = Page(render(replace(full, groups=full.groups[:1])))
    assert "another" not in single.texts["h3"]
    assert "tokens" not in single.texts["h3"]


# --- names from files are text -----------------------------------------------------------------


def hostile_report(path: Path) -> Report:
    """Return a full report in which every name tries to break out of its place in the page."""
    hostile = report(path, label=HOSTILE)
    groups = []
    for group in hostile.groups:
        rows = tuple(replace(row, engine=HOSTILE) for row in group.rows)
        groups.append(RowGroup(HOSTILE, rows))
    refinements = []
    for recorded in hostile.refinements:
        looks = (*recorded.looks, (HOSTILE, "x"))
        refinements.append(replace(recorded, label=HOSTILE, looks=looks))
    versions = []
    for days in (0, 1):
        version = baseline(days)
        machine = replace(version.speeds[0].machine, cpu=HOSTILE)
        speeds = (replace(version.speeds[0], machine=machine),)
        versions.append(replace(version, sizes={HOSTILE: 1000}, speeds=speeds))
    return replace(
        hostile,
        machines=(("Machine", HOSTILE),),
        groups=tuple(groups),
        rankings=((hostile.rankings[0][0], hostile_ranking(ranking())),),
        histories=(History(HOSTILE, tuple(versions), (HOSTILE,)),),
        refinements=tuple(refinements),
    )


def test_no_name_becomes_markup(page: Page, toy_bundle: Path) -> None:
    hostile = Page(render(hostile_report(toy_bundle)))
    assert set(hostile.tags) == set(page.tags)
    assert "img" not in hostile.tags
    assert hostile.tags.count("script") == page.tags.count("script")
    assert HOSTILE in hostile.texts["dd"]
    assert HOSTILE in hostile.texts["h3"]
    # Plotly interprets tags and entities, so its texts are escaped once more.
    for figure in figures(hostile):
        for trace in figure["data"]:
            assert "<" not in trace["name"]
    assert json.loads(hostile.scripts["refinements"])[0]["looks"][-1][0] == HOSTILE


def test_the_wheel_has_every_file_of_the_page() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "trm_edge.report" in project["packages"]
    folder = root / "trm_edge" / "report"
    declared: set[Path] = set()
    for pattern in project["package-data"]["trm_edge.report"]:
        declared |= set(folder.glob(pattern))
    present = {file for file in folder.iterdir() if file.suffix in (".css", ".html", ".js")}
    assert present == declared
