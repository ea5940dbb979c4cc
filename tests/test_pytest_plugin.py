"""The plugin in suites of its users, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.scripts import injuries
from tests.cli.test_commands import run as trm_edge


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "suite"
    folder.mkdir()
    (folder / "test_own.py").write_text("def test_own() -> None:\n    pass\n")
    return folder


def test_nothing_without_the_option(suite: Path) -> None:
    assert "1 passed" in run(suite).stdout


def test_parity_beside_the_users_own_tests(suite: Path, toy_bundle: Path) -> None:
    done = run(suite, "-v", "--trm-bundle", toy_bundle)
    assert done.returncode == 0, done.stdout
    assert "parity[cpu] PASSED" in done.stdout
    assert "2 passed" in done.stdout
    assert "1 passed, 1 deselected" in run(suite, "--trm-bundle", toy_bundle, "-k", "own").stdout


def test_a_regression_is_a_failed_test(suite: Path, toy_bundle: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    assert (
        trm_edge("regress", toy_bundle, "--baseline", baseline, "--update", "--no-speed").exit_code
        == 0
    )
    changed = injuries().injured(toy_bundle, tmp_path / "b", injuries().halting_shifted(50.0))
    given = ("--trm-bundle", changed, "--trm-baseline", baseline, "-k", "halting or fixed")
    done = run(suite, *given)
    assert done.returncode == 1
    assert "same halting step: 100 % before, " in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_misused(suite: Path, toy_bundle: Path, tmp_path: Path) -> None:
    done = run(suite, "--trm-bundle", tmp_path / "absent")
    assert done.returncode == 4
    assert "is not a bundle" in done.stderr
    done = run(suite, "--trm-bundle", toy_bundle, "--trm-baseline", "a", "--trm-baseline", "b")
    assert "pass one baseline for each bundle, or none" in done.stderr
