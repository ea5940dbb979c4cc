"""The benchmarks of halting rules and of the loop, on a toy of the Sudoku task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.benchmarks.scripts import library, script
from tests.toys import BASE, write_run

for package in ("modelopt", "matplotlib"):
    pytest.importorskip(package, reason="needs the bench extra: pip install -e '.[bench]'")

SUDOKU = replace(
    BASE, seq_len=81, vocab_size=11, num_puzzle_identifiers=1, halt_max_steps=16, H_cycles=1
)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy in place of every model, calibrated on two puzzles."""
    monkeypatch.setattr(library("int8_graph"), "_CALIBRATION_PUZZLES", 2)
    return write_run(tmp_path / "run", SUDOKU).parent


def measured(name: str, arguments: str) -> str:
    result = CliRunner().invoke(script(name).main, arguments.split(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_halting_keeps_the_figures_of_other_models(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    halting = script("halting")
    monkeypatch.setattr(halting, "checkpoint_of", lambda name: toy)
    common = f"--output {tmp_path} --threads 1"
    measured("halting", f"--model sudoku-wide --puzzles 3 --rollout-puzzles 0 {common}")
    document = tmp_path / "page.md"
    places = ("sudoku halting", "sudoku rollouts", "sudoku-wide halting")
    document.write_text("".join(f"<!-- table {place} -->\n<!-- end -->\n" for place in places))
    picture = tmp_path / "halting.svg"
    extra = f"--update {document} --picture {picture}"
    output = measured("halting", f"--model sudoku --puzzles 2 --rollout-puzzles 1 {common} {extra}")
    report: dict[str, Any] = json.loads((tmp_path / "halting.json").read_text())
    assert list(report) == ["sudoku", "sudoku-wide"]
    assert report["sudoku-wide"]["rollouts"] == {}
    assert report["sudoku"]["rules"]["fixed, N steps"]["16"]["steps"] == 16.0
    assert list(report["sudoku"]["rollouts"]) == ["augmentations"]
    assert "sudoku-wide, 3 puzzles" in output
    assert document.read_text().count("| published rule |") == 2
    assert "sudoku-wide, INT8" in picture.read_text()


def test_the_loop_of_another_model_has_a_page_of_its_own(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script("loop"), "checkpoint_of", lambda name: toy)
    output = measured(
        "loop",
        "--model sudoku-wide --puzzles 4 --stream 5 --rounds 1 --threads 1 --pytorch float32 "
        f"--output {tmp_path}",
    )
    assert not (tmp_path / "loop.json").exists()
    report = json.loads((tmp_path / "loop_sudoku-wide.json").read_text())
    assert report["model"] == "sudoku-wide"
    assert [row["puzzles"] for row in report["growth"]] == [5]
    assert "PyTorch float32, eager, fixed" in report["throughput"]
    assert "`python benchmarks/loop.py --model sudoku-wide --pytorch float32`" in output
    assert (tmp_path / "loop_sudoku-wide.md").read_text() in output
