"""The GPU benchmark, as far as it goes without a GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/gpu.py"


@pytest.mark.slow
def test_prepares_checks_solves_and_measures(tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        command = [sys.executable, str(SCRIPT), *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    run("prepare", tmp_path, "--only", "sudoku")
    small = ("--batch", 2, "--puzzles", 4, "--rounds", 2, "--seconds", 0.01)
    output = tmp_path / "out/gpu.json"
    printed = run(
        *("run", tmp_path, "--only", "sudoku", "--device", "cpu", "--json", output), *small
    )
    report = json.loads(output.read_text())
    subject = report["subjects"]["sudoku"]
    assert set(subject["runners"]) >= {"PyTorch float32, eager", "ONNX Runtime int8"}
    for name, result in subject["runners"].items():
        assert result["largest q difference at step 1"] < 0.2, name
        assert result["exact, adaptive"] > 0, name
        assert result["ms at 2"]["median"] > 0
        assert name in printed
    if "no NVIDIA driver" in report["machine"]["gpu"]:
        assert "no NVIDIA driver" in subject["not run"]["tensorrt int8"]
