"""The committed pages are what the scripts write from the committed figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.scripts import FOLDER, library

_REPRODUCE = """
import importlib, json, sys
from pathlib import Path
module, name = sys.argv[1:]
report = json.loads(Path(f"results/{name}.json").read_text())
sys.stdout.write(importlib.import_module(module)._page(report))
"""


@pytest.mark.parametrize(
    "name",
    [
        "arc",
        "arc_stopping",
        "startup",
        "step",
        "loop",
        "halting",
        "emulated",
        "latency",
        "gpu_forms",
        "puzzle_table",
        "serve",
        "serve_ray",
        "integer_forms",
        "host",
        "batch",
    ],
)
def test_a_page_is_reproduced_from_its_figures(name: str) -> None:
    if name == "halting":
        pytest.importorskip("matplotlib", reason="needs the bench extra: pip install -e '.[bench]'")
    module = name.removesuffix("_ray")
    if module == "serve":
        pytest.importorskip("httpx", reason="needs the bench extra: pip install -e '.[bench]'")
    if name == "batch":
        pytest.importorskip("ray.data", reason="needs the extra ray: pip install -e '.[ray]'")
    if name == "step":
        pytest.importorskip("onnxscript", reason="needs the bench extra: pip install -e '.[bench]'")
    command = [sys.executable, "-W", "ignore", "-c", _REPRODUCE, module, name]
    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (FOLDER / "results" / f"{name}.md").read_text()


def tables_of(page: Path) -> dict[str, str]:
    """The tables between markers on a page, by name."""
    tables = {}
    for part in page.read_text(encoding="utf-8").split("<!-- table ")[1:]:
        name, _, rest = part.partition(" -->\n")
        tables[name] = rest.partition("<!-- end -->")[0].strip()
    return tables


def test_the_tables_of_halting_and_the_loop_are_those_of_the_figures() -> None:
    results = FOLDER / "results"
    expected = library("halting_tables").document_tables(
        json.loads((results / "halting.json").read_text())
    )
    for path in results.glob("loop*.json"):
        report = json.loads(path.read_text())
        expected |= library("loop_tables").document_tables(report, 32)
        page = library("loop_tables").page(report, 32)
        assert path.with_suffix(".md").read_text() == page
    assert {"sudoku halting", "sudoku rollouts", "sudoku throughput"} <= set(expected)
    shown = tables_of(FOLDER.parent / "docs" / "speed.md")
    for name, table in expected.items():
        assert shown[name] == table


def test_tables_of_the_documents_are_those_of_the_figures() -> None:
    results = FOLDER / "results"
    documents = FOLDER.parent / "docs"
    for page, table, name in (
        ("serving.md", "serve", "serve"),
        ("serving.md", "serve ray", "serve_ray"),
        ("quantization.md", "integer forms", "integer_forms"),
    ):
        shown = tables_of(documents / page)[table]
        assert shown in (results / f"{name}.md").read_text()


def test_the_page_and_the_tables_of_the_search_are_those_of_the_figures() -> None:
    results = FOLDER / "results"
    report = json.loads((results / "search.json").read_text())
    assert (results / "search.md").read_text() == library("search_tables").page(report)
    expected = library("search_tables").summaries(report)
    assert {"sudoku search", "sudoku-mid search", "maze search", "sudoku depth"} <= set(expected)
    shown = tables_of(FOLDER.parent / "docs" / "speed.md")
    for name, table in expected.items():
        assert shown[name] == table


def test_a_page_without_rollouts_has_no_heading_for_them() -> None:
    row = {"exact": 0.5, "interval": [0.4, 0.6], "steps": 2.0}
    rules: dict[str, dict[str, Any]] = {}
    for rule, value in library("halting_tables")._RULES:
        rules.setdefault(rule, {})[value] = row
    report = {"wide": {"puzzles": 8, "rollout puzzles": 0, "rules": rules, "rollouts": {}}}
    page = library("halting_tables").page(report)
    assert "wide, 8 puzzles" in page
    assert "rollouts, 0 puzzles" not in page
    assert list(library("halting_tables").document_tables(report)) == ["wide halting"]
