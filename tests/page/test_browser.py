"""The page as a visitor has it: by mouse, keyboard and touch, on a desktop and a phone."""

from __future__ import annotations

import os
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.page.browser import PLAIN_HOST, READY, SOLVED, Visit, served
from tests.toys import BASE
from trm_edge.tasks.sudoku import SudokuTask

pytestmark = pytest.mark.page

# The pictures can be looked at in the folder that this variable names.
PICTURES = "TRM_EDGE_PAGE_PICTURES"
LINE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
SHAPE = replace(BASE, seq_len=81, vocab_size=11)
WITH_THREADS = """
async ({ threads, puzzle }) => {
  const { Model } = await import("/assets/model.js");
  const model = new Model(() => {});
  const count = await model.open(threads);
  await model.load("cpu");
  const { tokens } = await model.solve("cpu", puzzle, "adaptive", () => {});
  return [count, tokens];
}
"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


def violations(page: Any) -> list[str]:
    """What axe objects to on the page."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{entry['id']}: {entry['nodes'][0]['html']}" for entry in found]


def puzzle(page: Any) -> str:
    """The puzzle on the board, as text."""
    return str(page.input_value("#text"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("model", ["sudoku", "maze"])
def test_two_graphs_are_compared(
    model: str,
    device: dict[str, Any],
    scheme: str,
    urls: dict[str, str],
    visit: Visit,
    tmp_path: Path,
) -> None:
    visitor = visit(urls[model], color_scheme=scheme, **device)
    visitor.open()
    page = visitor.page
    visitor.choose("Hard 1")
    page.locator("#compare").check()
    summary = visitor.solve()
    assert summary.startswith("INT8: valid; halted after ")
    assert " float32: valid; halted after " in summary
    assert page.locator("#answers figure").count() == 2
    page.wait_for_selector("#answers figure:nth-child(2) .board .changed")
    table = page.inner_text("#comparison")
    assert "INT8\tvalid" in table
    assert "float32\tvalid" in table
    assert page.evaluate("document.documentElement.scrollWidth") <= device["viewport"]["width"]
    assert violations(page) == []
    assert visitor.problems == []
    folder = Path(os.environ.get(PICTURES, tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    width = device["viewport"]["width"]
    page.screenshot(path=folder / f"{model}-{width}-{scheme}.png", full_page=True)


def test_by_keyboard_alone(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"])
    visitor.open()
    page = visitor.page
    page.get_by_role("button", name="Clear").click()
    page.locator("[role=gridcell][tabindex='0']").focus()
    keyboard = page.keyboard
    for index, cell in enumerate(LINE):
        keyboard.press(cell)
        row, column = divmod(index, 9)
        if column < 8:
            keyboard.press("ArrowRight")
        elif row < 8:
            keyboard.press("ArrowDown")
            for _ in range(8):
                keyboard.press("ArrowLeft")
    assert puzzle(page) == LINE
    label = page.locator("[role=gridcell][tabindex='0']").get_attribute("aria-label")
    assert label == "row 9, column 9: 9"
    keyboard.press("1")
    assert page.inner_text("#puzzle-status") == "column 9 is given 1 twice."
    assert page.locator("#solve").is_disabled()
    keyboard.press("Backspace")
    assert puzzle(page) == f"{LINE[:-1]}."
    keyboard.press("9")
    page.locator("#solve").focus()
    keyboard.press("Enter")
    page.wait_for_selector(SOLVED)
    assert page.inner_text("#summary").startswith("INT8: valid; halted after ")
    page.get_by_role("slider").focus()
    keyboard.press("Home")
    assert page.inner_text("figure .status") == "The puzzle."
    keyboard.press("End")
    assert page.inner_text("figure .status").endswith("This is the answer.")
    page.get_by_text("Answer as text").click()
    rows = page.inner_text("figure pre").split()
    assert [len(row) for row in rows] == [9] * 9
    assert rows[0].startswith("53")
    assert violations(page) == []
    assert visitor.problems == []


def test_by_touch(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"], **PHONE)
    visitor.open()
    page = visitor.page
    page.get_by_role("button", name="Clear").tap()
    page.locator("[role=gridcell]").nth(10).tap()
    page.get_by_role("button", name="7", exact=True).tap()
    assert puzzle(page) == "." * 10 + "7" + "." * 70
    page.get_by_role("button", name="Blank").tap()
    assert puzzle(page) == "." * 81
    assert visitor.problems == []


def test_a_maze_is_drawn(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["maze"])
    visitor.open()
    page = visitor.page
    page.get_by_role("button", name="Clear").click()
    assert puzzle(page) == "S" + "." * 167 + "G"
    cells = page.locator("[role=gridcell]")
    boxes = [cells.nth(cell).bounding_box() for cell in (13, 17)]
    centres = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    page.mouse.move(*centres[0])
    page.mouse.down()
    page.mouse.move(*centres[1], steps=20)
    page.mouse.up()
    page.mouse.move(*centres[0])
    assert puzzle(page)[13:26] == "#####........"
    assert page.get_by_role("button", name="Wall").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Goal").click()
    cells.nth(12).click()
    assert puzzle(page).index("G") == 12
    assert puzzle(page).count("G") == 1
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("s")
    assert puzzle(page).startswith("...........SG")
    assert visitor.solve().startswith("INT8: ")
    assert visitor.problems == []


def test_text_is_pasted(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"], permissions=["clipboard-read", "clipboard-write"])
    visitor.open()
    page = visitor.page
    rows = "\n".join(LINE[start : start + 9] for start in range(0, 81, 9))
    page.evaluate("(text) => navigator.clipboard.writeText(text)", rows)
    page.locator("[role=gridcell]").nth(0).click()
    page.keyboard.press("Control+V")
    assert puzzle(page) == LINE
    page.get_by_text("The puzzle as text").click()
    page.fill("#text", "no sudoku")
    page.get_by_role("button", name="Use this text").click()
    assert page.inner_text("#puzzle-status") == "Expected 81 cells, but got 8."
    page.fill("#text", "." * 81)
    page.get_by_role("button", name="Use this text").click()
    assert page.inner_text("#puzzle-status") == ""
    assert visitor.problems == []


def test_every_step_is_taken_when_asked_for(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"])
    visitor.open()
    visitor.page.locator("#every-step").check()
    assert visitor.solve().startswith("INT8: valid; ")
    assert visitor.page.locator(".confidence li").count() == 16
    assert visitor.page.inner_text("#summary").endswith("took all 16 steps.")


def test_nothing_moves_for_people_who_prefer_that(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"], reduced_motion="reduce")
    visitor.open()
    visitor.choose("Hard 1")
    visitor.solve()
    page = visitor.page
    assert page.inner_text("figure .status").endswith("This is the answer.")
    assert page.get_by_role("button", name="Play").count() == 1
    changed = page.locator("figure .changed").first
    assert changed.evaluate("(cell) => getComputedStyle(cell).animationName") == "none"


def test_a_solve_can_be_stopped(urls: dict[str, str], visit: Visit) -> None:
    visitor = visit(urls["sudoku"])
    visitor.open()
    page = visitor.page
    page.locator("#every-step").check()
    page.click("#solve")
    page.get_by_role("button", name="Stop").click()
    assert page.inner_text("#summary") == "Stopped."
    page.locator("#every-step").uncheck()
    assert visitor.solve().startswith("INT8: valid; ")
    assert visitor.problems == []


def test_the_second_visit_needs_no_network(
    sites: dict[str, Path], browser: Any, visit: Visit
) -> None:
    with served(sites["sudoku"]) as site:
        visitor = visit(site.url)
        visitor.open()
        packed = [path for path in site.requests if path.endswith(".gz")]
        assert packed == [
            "examples/puzzle_embeddings.bin.gz",
            "runtime/onnxruntime.wasm.gz",
            "bundle/cpu/step.onnx.gz",
        ]
    # The server is gone.
    visitor.page.reload()
    visitor.page.wait_for_selector(READY)
    visitor.choose("Easy 2")
    assert visitor.solve().startswith("INT8: valid; ")
    # And the pages that the service worker serves may share memory between threads.
    assert visitor.page.evaluate("crossOriginIsolated") is True
    assert visitor.problems == []


def test_a_host_may_send_the_headers_for_threads(sites: dict[str, Path], visit: Visit) -> None:
    headers = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
    }
    with served(sites["sudoku"], headers) as site:
        visitor = visit(site.url)
        visitor.open()
        cores = visitor.page.evaluate("navigator.hardwareConcurrency")
        assert visitor.page.inner_text("#threads") == str(min(ceil(cores / 2), 4))
        data = {"threads": 2, "puzzle": SudokuTask(SHAPE).puzzle(LINE).tokens.tolist()}
        threads, tokens = visitor.page.evaluate(WITH_THREADS, data)
        assert threads == 2
        assert SudokuTask(SHAPE).text(np.array(tokens)).startswith("534678912")
        assert visitor.problems == []


def test_without_https(sites: dict[str, Path], visit: Visit) -> None:
    """There a browser has neither service workers nor hashes of its own."""
    with served(sites["sudoku"]) as site:
        visitor = visit(site.url.replace("127.0.0.1", PLAIN_HOST))
        visitor.open()
        assert visitor.page.evaluate("isSecureContext || 'subtle' in crypto") is False
        assert visitor.solve().startswith("INT8: valid; ")
        assert visitor.problems == []


def test_a_damaged_graph_is_not_run(sites: dict[str, Path], visit: Visit) -> None:
    name = "bundle/cpu/step.onnx.gz"
    with served(sites["sudoku"]) as site:
        site.changed[name] = (sites["maze"] / name).read_bytes()
        visitor = visit(site.url)
        visitor.page.goto(site.url)
        visitor.page.wait_for_selector("text=The model cannot be loaded.")
        text = visitor.page.inner_text("#loading")
        assert "cpu/step.onnx is damaged or of another version" in text
        assert visitor.page.locator("#solve").is_disabled()
