"""The soak is held to what it checks, on few puzzles."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.scripts import FOLDER, soak

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_short_soak(old_bundles: Path) -> None:
    options = ("--bundle", old_bundles / "toy-fp32", "--puzzles", "200", "--bad-every", "20")
    command = [sys.executable, str(FOLDER / "soak.py"), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert (result["answers"], result["wrong"], result["bad_lines"]) == (200, 0, 10)
    assert result["memory_last_quarter_mb"] > 0


@pytest.mark.parametrize(
    "broken",
    [
        {"answers": 99},
        {"answers": 101},
        {"wrong": 1},
        {"bad_lines_reported": 0},
        {"exit_code": 0},
        {"memory_last_quarter_mb": 110.0},
    ],
)
def test_what_breaks_it(broken: dict[str, float]) -> None:
    result = soak().SoakResult(
        puzzles=100,
        answers=100,
        wrong=0,
        bad_lines=1,
        bad_lines_reported=1,
        exit_code=1,
        seconds=1.0,
        memory_second_quarter_mb=100.0,
        memory_last_quarter_mb=101.0,
    )
    assert result.passed
    assert not replace(result, **broken).passed
