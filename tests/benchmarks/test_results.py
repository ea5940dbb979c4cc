"""The committed pages are what the scripts write from the committed figures."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.scripts import FOLDER

_REPRODUCE = """
import importlib, json, sys
from pathlib import Path
name = sys.argv[1]
report = json.loads(Path(f"results/{name}.json").read_text())
sys.stdout.write(importlib.import_module(name)._page(report))
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
        "host",
    ],
)
def test_a_page_is_reproduced_from_its_figures(name: str) -> None:
    if name == "halting":
        pytest.importorskip("matplotlib", reason="needs the bench extra: pip install -e '.[bench]'")
    if name == "serve":
        pytest.importorskip("httpx", reason="needs the bench extra: pip install -e '.[bench]'")
    if name == "step":
        pytest.importorskip("onnxscript", reason="needs the bench extra: pip install -e '.[bench]'")
    command = [sys.executable, "-W", "ignore", "-c", _REPRODUCE, name]
    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (FOLDER / "results" / f"{name}.md").read_text()
