"""The page in a browser: charts, phone, light and dark, the animation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import OpenedPage, find_browser, open_page
from tests.report.samples import HOSTILE, hostile_ranking, report
from trm_edge.report.page import render

# Charts are drawn while the page loads, before this script runs.
LOOK = """
const charts = [...document.querySelectorAll(".chart")].map((chart) => ({
  marks: chart.querySelectorAll("svg .point, svg .bars path").length,
  width: chart.querySelector("svg.main-svg")?.getBoundingClientRect().width ?? 0,
  overlaps: overlaps(chart),
}));
function overlaps(chart) {
  const texts = [...chart.querySelectorAll("svg text")].filter((text) => text.textContent.trim());
  const boxes = texts.map((text) => text.getBoundingClientRect()).filter((box) => box.width);
  let count = 0;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 2) count += 1;
  }));
  return count;
}
const style = getComputedStyle(document.body);
return {
  charts,
  inner: innerWidth,
  scroll: document.documentElement.scrollWidth,
  background: style.backgroundColor,
  label: getComputedStyle(document.querySelector("svg .xtick text")).fill,
  line: getComputedStyle(document.querySelectorAll("svg .point")[0]).stroke,
  requests: performance.getEntriesByType("resource").length,
};
"""
PLAY = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const [figure] = document.querySelectorAll(".refinement");
const [play, back, forward] = figure.querySelectorAll("button");
const slider = figure.querySelector("input");
const state = () => ({
  step: Number(slider.value),
  status: figure.querySelector(".status").textContent,
  play: play.textContent,
  changed: figure.querySelectorAll(".changed").length,
  at: figure.querySelectorAll(".confidence .at").length,
  label: slider.getAttribute("aria-valuetext"),
});
const states = [state()];
forward.click(); states.push(state());
back.click(); states.push(state());
play.click(); states.push(state());
await wait(1000); states.push(state());
play.click(); states.push(state());
await wait(5000); states.push(state());
slider.value = 3;
slider.dispatchEvent(new Event("input")); states.push(state());
play.click();
await wait(9000); states.push(state());
return {
  states,
  focusable: [play, back, forward, slider].every((control) => control.tabIndex === 0),
  moving: getComputedStyle(figure.querySelector(".changed")).animationName,
};
"""


@pytest.fixture(scope="module")
def browser() -> str:
    return find_browser()


@pytest.fixture(scope="module")
def page(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(report(toy_bundle)))
    return path


def brightness(colour: str) -> float:
    """Return the brightness of "rgb(r, g, b)", 0 to 255."""
    red, green, blue = (float(part) for part in colour[4:-1].split(","))
    return 0.3 * red + 0.6 * green + 0.1 * blue


def check_complete(opened: OpenedPage) -> None:
    assert opened.console == []
    assert opened.result["requests"] == 0
    charts = opened.result["charts"]
    assert len(charts) == 12
    for index, chart in enumerate(charts):
        assert chart["marks"] >= 2, f"chart {index} is empty"
        assert chart["overlaps"] == 0, f"texts of chart {index} overlap"
    assert opened.dom.count('id="refinement-') == 3


def test_on_a_desktop_in_light_mode(browser: str, page: Path) -> None:
    opened = open_page(browser, page, script=LOOK)
    check_complete(opened)
    assert brightness(opened.result["background"]) > 230
    assert brightness(opened.result["label"]) < 80


def test_on_a_phone_in_dark_mode(browser: str, page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "phone.png"
    opened = open_page(browser, page, script=LOOK, width=390, dark=True, picture=picture)
    check_complete(opened)
    result = opened.result
    assert result["inner"] == 390
    assert result["scroll"] <= 390, "the page scrolls sideways"
    assert all(250 < chart["width"] <= 390 for chart in result["charts"])
    assert brightness(result["background"]) < 40
    assert brightness(result["label"]) > 180
    assert brightness(result["line"]) > 100
    assert picture.stat().st_size > 50_000


def test_a_puzzle_is_played(browser: str, page: Path) -> None:
    result = open_page(browser, page, script=PLAY).result
    first, forward, back, started, later, paused, unchanged, moved, ended = result["states"]
    assert (first["step"], first["status"], first["changed"]) == (0, "The puzzle.", 0)
    assert forward["step"] == 1
    assert forward["status"] == "Step 1 of 4: 2.0 % confidence, 3 cells changed."
    assert (forward["changed"], forward["at"], forward["label"]) == (3, 1, forward["status"])
    assert back["step"] == 0
    assert (started["play"], later["step"]) == ("Pause", 1)
    assert paused["play"] == "Play"
    assert unchanged["step"] == later["step"]
    assert moved["step"] == 3
    assert (ended["step"], ended["play"]) == (4, "Play")
    assert ended["status"].endswith("This is the answer.")
    assert result["focusable"]
    assert result["moving"] == "fresh"


def test_reduced_motion_is_honoured(browser: str, page: Path) -> None:
    result: dict[str, Any] = open_page(browser, page, script=PLAY, reduced_motion=True).result
    assert result["moving"] == "none"
    later = result["states"][4]
    assert (later["play"], later["step"]) == ("Pause", 0)  # also slower
    assert result["states"][-1]["step"] == 4


def test_hostile_names_run_nothing(browser: str, toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    full = report(toy_bundle, label=HOSTILE)
    ((row, ranking),) = full.rankings
    refinements = [replace(refinement, label=HOSTILE) for refinement in full.refinements]
    path.write_text(
        render(
            replace(
                full,
                rankings=((row, hostile_ranking(ranking)),),
                refinements=tuple(refinements),
            )
        )
    )
    script = """
    return {
      images: document.images.length,
      legend: document.querySelector("svg .legendtext").textContent,
      scroll: document.documentElement.scrollWidth,
    };
    """
    opened = open_page(browser, path, script=script, width=390)
    assert opened.console == []
    assert opened.result["images"] == 0
    assert opened.result["legend"].startswith("</script><img src=x onerror=")
    assert opened.result["scroll"] <= 390


def test_without_a_browser_ci_fails_and_others_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.report.browser.shutil.which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("TRM_EDGE_REQUIRE_BROWSER", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs a browser: chromium"):
        find_browser()
    for name in ("CI", "TRM_EDGE_REQUIRE_BROWSER"):
        with monkeypatch.context() as patched:
            patched.setenv(name, "1")
            with pytest.raises(pytest.fail.Exception, match="needs a browser"):
                find_browser()
