"""The benchmark of single answers under a deadline: what counts as late, and a short run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.scripts import FOLDER, latency


def test_what_counts_as_late() -> None:
    latencies = latency().Latencies.empty(5)
    latencies.seconds[:] = [0.02, 0.05, 0.051, 0.07, 0.08]
    latencies.cpu[:] = [0.02, 0.02, 0.051, 0.02, 0.06]
    latencies.steps[:] = [2, 5, 5, 7, 8]
    latencies.timed_out[3:] = True
    latencies.exact[:] = [True, True, False, False, False]
    figures = latencies.figures(0.05)
    assert figures["step_ms"] == pytest.approx(10)
    assert figures["p50_ms"] == pytest.approx(51)
    assert figures["max_ms"] == pytest.approx(80)
    assert figures["late"] == 3
    assert figures["late_by_more_than_a_step"] == 2
    assert figures["late_by_own_computing"] == 1
    assert (figures["timed_out"], figures["exact"]) == (0.4, 0.4)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_is_taken_shows() -> None:
    before = latency().resident_bytes()
    taken = np.ones(40_000_000)  # more than another allocation gives back meanwhile
    assert latency().resident_bytes() - before > 0.9 * taken.nbytes


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_short_run_writes_its_rows_and_keeps_them(old_bundles: Path, tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("<!-- table latency -->\n<!-- end -->\n")
    command = [sys.executable, str(FOLDER / "latency.py"), str(old_bundles / "toy-fp32")]
    command += ["--solves", "20", "--output", str(tmp_path), "--update", str(document)]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    report = json.loads((tmp_path / "latency.json").read_text())
    assert [row["load"] for row in report["rows"]] == list(latency().LOADS)
    for row in report["rows"]:
        assert row["model"] == "sudoku"
        assert 0 < row["p50_ms"] <= row["p99_ms"] <= row["max_ms"]
        assert row["resident_after_mb"] > 10
    assert document.read_text().count("| sudoku |") == 2
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 0
    assert json.loads((tmp_path / "latency.json").read_text()) == report
