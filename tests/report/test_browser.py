"""The page as a browser shows it: charts, phone, light and dark, the animation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Opened, find_browser, open_page
from tests.report.samples import HOSTILE, hostile_ranking, report
from trm_edge.report.page import render

# Charts are drawn at once; what follows waits for the frame after.
LOOK = """
const charts = [...document.querySelectorAll(".chart")].map((chart) => ({
  marks: chart.querySelectorAll("svg .point, svg .bars path").length,
  width: chart.querySelector("svg.main-svg")?.getBoundingClientRect().width ?? 0,
  overlaps: overlaps(chart),
}));
function overlaps(chart) {
  const texts = [...chart.querySelectorAll("svg text")].filter((one) => one.textContent.trim());
  const boxes = texts.map((one) => one.getBoundingClientRect()).filter((one) => one.width);
  let found = 0;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 2) found += 1;
  }));
  return found;
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
const [play, back, on] = figure.querySelectorAll("button");
const slider = figure.querySelector("input");
const state = () => ({
  step: Number(slider.value),
  now: figure.querySelector(".now").textContent,
  play: play.textContent,
  changed: figure.querySelectorAll(".changed").length,
  at: figure.querySelectorAll(".sure .at").length,
  said: slider.getAttribute("aria-valuetext"),
});
const states = [state()];
on.click(); states.push(state());
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
  focusable: [play, back, on, slider].every((one) => one.tabIndex === 0),
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
    """Of "rgb(r, g, b)", 0..255."""
    red, green, blue = (float(part) for part in colour[4:-1].split(","))
    return 0.3 * red + 0.6 * green + 0.1 * blue


def is_whole(opened: Opened) -> None:
    assert opened.console == []
    assert opened.told["requests"] == 0
    charts = opened.told["charts"]
    assert len(charts) == 10
    for place, chart in enumerate(charts):
        assert chart["marks"] >= 2, f"chart {place} is empty"
        assert chart["overlaps"] == 0, f"texts of chart {place} overlap"
    assert opened.dom.count('id="refinement-') == 3


def test_on_a_desk_in_light(browser: str, page: Path) -> None:
    opened = open_page(browser, page, script=LOOK)
    is_whole(opened)
    assert brightness(opened.told["background"]) > 230
    assert brightness(opened.told["label"]) < 80


def test_on_a_phone_in_the_dark(browser: str, page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "phone.png"
    opened = open_page(browser, page, script=LOOK, width=390, dark=True, picture=picture)
    is_whole(opened)
    told = opened.told
    assert told["inner"] == 390
    assert told["scroll"] <= 390, "the page scrolls sideways"
    assert all(250 < chart["width"] <= 390 for chart in told["charts"])
    assert brightness(told["background"]) < 40
    assert brightness(told["label"]) > 180
    assert brightness(told["line"]) > 100
    assert picture.stat().st_size > 50_000


def test_a_puzzle_is_played(browser: str, page: Path) -> None:
    told = open_page(browser, page, script=PLAY).told
    first, on, back, started, later, paused, still, slid, ended = told["states"]
    assert (first["step"], first["now"], first["changed"]) == (0, "The puzzle.", 0)
    assert on["step"] == 1
    assert on["now"] == "Step 1 of 4: 2.0 % sure, 3 cells changed."
    assert (on["changed"], on["at"], on["said"]) == (3, 1, on["now"])
    assert back["step"] == 0
    assert (started["play"], later["step"]) == ("Pause", 1)
    assert paused["play"] == "Play"
    assert still["step"] == later["step"]  # paused is paused
    assert slid["step"] == 3
    assert (ended["step"], ended["play"]) == (4, "Play")
    assert ended["now"].endswith("This is its answer.")
    assert told["focusable"]
    assert told["moving"] == "fresh"


def test_reduced_motion_is_honoured(browser: str, page: Path) -> None:
    told: dict[str, Any] = open_page(browser, page, script=PLAY, calm=True).told
    assert told["moving"] == "none"
    later = told["states"][4]
    assert (later["play"], later["step"]) == ("Pause", 0)  # slower, too
    assert told["states"][-1]["step"] == 4


def test_hostile_names_run_nothing(browser: str, toy_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    full = report(toy_bundle, label=HOSTILE)
    path.write_text(
        render(
            replace(
                full,
                layers=tuple((row, hostile_ranking(ranking)) for row, ranking in full.layers),
                refinements=tuple(replace(one, label=HOSTILE) for one in full.refinements),
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
    assert opened.told["images"] == 0
    assert opened.told["legend"].startswith("</script><img src=x onerror=")
    assert opened.told["scroll"] <= 390


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
