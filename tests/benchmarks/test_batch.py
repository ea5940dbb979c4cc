"""The benchmark of runs over many puzzles: it fails where answers differ or memory grows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

pytest.importorskip("ray.data", reason="needs the extra ray")

from tests.benchmarks.scripts import FOLDER, batch

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@needs_proc
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_few_puzzles(old_bundles: Path, tmp_path: Path, workers: int) -> None:
    document = tmp_path / "page.md"
    names = ["batch speed", "batch overhead", "batch memory"]
    document.write_text("\n".join(f"<!-- table {name} -->\n<!-- end -->" for name in names))
    command = [sys.executable, str(FOLDER / "batch.py"), str(old_bundles / "toy-fp32")]
    sizes = ["--puzzles", "40", "--repeats", "2", "--null-puzzles", "3000", "--interval", "0.02"]
    options = ["--most-workers", str(workers), "--output", str(tmp_path), "--update", str(document)]
    done = subprocess.run([*command, *sizes, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "batch.json").read_text())
    counts = list(range(workers + 1))
    side_by_side = [0] * max(0, workers - 1)  # 2 processes without Ray, and so on
    assert sorted(run["workers"] for run in report["runs"]) == sorted(2 * (counts + side_by_side))
    assert [run["workers"] for run in report["null_runs"]] == counts
    for run in report["runs"]:
        assert 0 < run["occupancy"] <= 1
        assert min(run["start_seconds"], run["solve_seconds"], run["stop_seconds"]) > 0
    for run in report["null_runs"]:
        assert 2700 <= [memory["rows"] for memory in run["memory"]][-1] <= 3000
        assert run["peak"]["driver"] > 10
        assert (run["peak"]["solvers"] > 10) == (run["workers"] > 0)
        assert len(run["cpu_microseconds"]) == len(run["clock_microseconds"]) == 9
    assert document.read_text().count("| one process |") == 2 + 4


def report(**changes: Any) -> dict[str, Any]:
    null_run = {
        "workers": 2,
        "answers": "a",
        "second_quarter_mb": 1000.0,
        "last_quarter_mb": 1050.0,
    }
    runs = [{"answers": "b"}, {"answers": None}, {"answers": "b"}]
    return {"runs": runs, "null_runs": [{**null_run, **changes}]}


def test_equal_answers_and_steady_memory_pass() -> None:
    batch().check(report())


def test_other_answers_fail() -> None:
    results = report()
    results["runs"] = [{"answers": "b"}, {"answers": "c"}]
    with pytest.raises(click.ClickException, match="the runs have 2 different sets of answers"):
        batch().check(results)


def test_growing_memory_fails() -> None:
    with pytest.raises(click.ClickException, match=r"grew from 1000 MB .* to 1201 MB"):
        batch().check(report(last_quarter_mb=1201.0))
