from __future__ import annotations

import json
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.report.samples import HOSTILE, baseline, hostile_ranking, ranking, refinement, report
from trm_edge.report.history import History
from trm_edge.report.markup import Markup, element, embedded, markup
from trm_edge.report.page import Report, render

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """What a browser would find: elements, their texts, and links to anything."""

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
        told = dict(attrs)
        self.tags.append(tag)
        self.links += [told[name] or "" for name in ("src", "href") if name in told]
        self.ids.add(told.get("id") or "")
        if tag not in VOID:
            self._open.append((tag, told.get("id") or ""))

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
    found: list[dict[str, Any]] = json.loads(page.scripts["figures"])
    return found


def test_sections_stand_in_order_each_with_a_sentence(page: Page) -> None:
    assert page.texts["h1"] == ["How these bundles do"]
    assert page.texts["h2"] == [
        "Accuracy against latency",
        "When it stops",
        "The carry by depth",
        "Sensitivity by layer",
        "Baselines over time",
        "One puzzle, step by step",
    ]
    assert page.tags.count("section") == 6


def test_nothing_comes_from_elsewhere(full: Report) -> None:
    html = render(full)
    assert Page(html).links == ["data:,"]
    assert "default-src 'none'" in html
    own = html.partition('<script type="application/json" id="figures">')[0]
    assert "http" not in own.replace("http-equiv", "")
    assert html.count("Plotly.react") >= 1
    assert len(html.encode()) < 6_000_000


def test_every_chart_has_its_place_and_its_data(page: Page) -> None:
    drawn = figures(page)
    names = [[trace["name"] for trace in one["data"]] for one in drawn]
    assert names[0] == ["toy", "toy again", "float32"]
    assert names[2] == ["float32", "toy", "toy again"]
    assert names[4] == ["toy, z_H", "toy, z_L", "toy again, z_H", "toy again, z_L"]
    assert names[6] == ["after the first step", "after the last"]
    assert names[7] == ["fixed", "adaptive"]
    assert "1 slot, by the float32 step" in names[8]
    assert names[9] == ["step graph"]
    assert len(drawn) == 10
    assert {f"chart-{place}" for place in range(10)} <= page.ids


def test_figures_are_those_of_the_rows(full: Report, page: Page) -> None:
    (row, *_), *_ = (group.rows for group in full.groups)
    point = figures(page)[0]["data"][0]
    steps = [row.bundle.config.halt_max_steps, row.parity.halting.steps_candidate]
    assert point["x"] == pytest.approx([2.0 * count for count in steps])
    assert point["y"] == pytest.approx([100 * mode.exact_candidate for mode in row.parity.modes])
    assert point["error_y"]["array"][0] == pytest.approx(
        100 * (row.parity.fixed.interval_candidate[1] - row.parity.fixed.exact_candidate)
    )
    float32 = figures(page)[0]["data"][2]
    steps[1] = row.parity.halting.steps_reference
    assert float32["x"] == pytest.approx([2.0 * 2.5 * count for count in steps])
    stops = figures(page)[2]["data"][1]
    assert stops["customdata"] == list(row.parity.halting.histogram_candidate)
    carry = figures(page)[4]["data"][0]
    assert carry["y"] == pytest.approx([max(1 - one, 1e-7) for one in row.parity.carry.z_H])


def test_the_table_has_every_figure(page: Page) -> None:
    cells = "|".join(page.texts["td"])
    for text in ("2.00", "64.00", "321", "87", "0.5", "kept"):
        assert text in cells.split("|"), text
    assert {"cpu, fp32", "cpu, int8", "2.40 to 2.60"} <= set(page.texts["small"])
    assert " ★" in page.texts["span"]


def test_what_is_not_there_is_said(full: Report, toy_bundle: Path) -> None:
    empty = replace(report(toy_bundle, timed=False), layers=(), histories=())
    page = Page(render(empty))
    told = " ".join(page.texts["p"])
    assert "Nothing was timed for this report: it was made with --no-bench." in told
    assert "trm-edge export --sensitivity measures that" in told
    assert "No baseline was given: --baseline FILE" in told
    assert "puzzles/s" not in page.texts["th"]
    history = History("b.json", (), ("b.json is a baseline of another version.",))
    page = Page(render(replace(empty, histories=(history,))))
    assert "b.json is a baseline of another version." in page.texts["p"]


def test_one_kind_of_puzzle_needs_no_headings(full: Report, page: Page) -> None:
    assert "another" in page.texts["h3"]
    alone = Page(render(replace(full, groups=full.groups[:1])))
    assert "another" not in alone.texts["h3"]
    assert "tokens" not in alone.texts["h3"]


# --- what comes from files is text -------------------------------------------------------------


def test_no_name_becomes_markup(full: Report, toy_bundle: Path) -> None:
    plain = Page(render(full))
    layers = hostile_ranking(ranking())
    hostile = report(toy_bundle, label=HOSTILE)
    (row, _), *_ = hostile.layers
    played = tuple(
        replace(refinement(task), label=HOSTILE, looks=(*refinement(task).looks, (HOSTILE, "x")))
        for task in ("sudoku", "maze", "tokens")
    )
    machine = replace(baseline(0).speeds[0].machine, cpu=HOSTILE)
    versions = tuple(
        replace(one, sizes={HOSTILE: 1000}, speeds=(replace(one.speeds[0], machine=machine),))
        for one in (baseline(0), baseline(1))
    )
    hostile = replace(
        hostile,
        machines=(("Machine", HOSTILE),),
        groups=tuple(
            replace(group, name=HOSTILE, rows=tuple(replace(r, engine=HOSTILE) for r in group.rows))
            for group in hostile.groups
        ),
        layers=((row, layers),),
        histories=(History(HOSTILE, versions, (HOSTILE,)),),
        refinements=played,
    )
    page = Page(render(hostile))
    assert set(page.tags) == set(plain.tags)
    assert "img" not in page.tags
    assert page.tags.count("script") == plain.tags.count("script")
    assert HOSTILE in page.texts["dd"]
    assert HOSTILE in page.texts["h3"]
    # Plotly reads tags and entities, so that what it is given is escaped once more.
    for one in figures(page):
        for trace in one["data"]:
            assert "<" not in trace["name"]
    assert json.loads(page.scripts["refinements"])[0]["looks"][-1][0] == HOSTILE


def test_the_wheel_has_every_file_of_the_page() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "trm_edge.report" in project["packages"]
    folder = root / "trm_edge" / "report"
    declared = {
        file for glob in project["package-data"]["trm_edge.report"] for file in folder.glob(glob)
    }
    assert {
        file for file in folder.iterdir() if file.suffix in (".css", ".html", ".js")
    } == declared


def test_embedded_json_cannot_end_its_element() -> None:
    told = embedded({"</script>": ["<!--", "&amp;", "\u2028"]})
    assert not set("<>&\u2028") & set(told)
    assert json.loads(told) == {"</script>": ["<!--", "&amp;", "\u2028"]}


def test_text_is_escaped_and_markup_is_not() -> None:
    assert markup("<b>") == "&lt;b&gt;"
    assert element("p", "<b>", Markup("<b></b>"), class_='"x').html == (
        '<p class="&quot;x">&lt;b&gt;<b></b></p>'
    )
