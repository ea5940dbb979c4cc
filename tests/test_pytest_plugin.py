"""The pytest plugin in suites of its users, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.scripts import injuries
from tests.cli.commands import run as trm_edge

LOADED_MODULES = """
import sys
import pytest
before = set(sys.modules)
import trm_edge.pytest_plugin
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(names - set(sys.stdlib_module_names)))
"""


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


def test_loading_the_plugin_imports_nothing_beyond_pytest_and_the_standard_library() -> None:
    output = subprocess.run(
        [sys.executable, "-c", LOADED_MODULES], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "['trm_edge']"


def test_no_effect_without_the_option(suite: Path) -> None:
    assert "1 passed" in run(suite).stdout


def test_parity_beside_the_users_own_tests(suite: Path, toy_bundle: Path) -> None:
    process = run(suite, "-v", "--trm-bundle", toy_bundle)
    assert process.returncode == 0, process.stdout
    assert "parity[cpu] PASSED" in process.stdout
    assert "2 passed" in process.stdout
    selected = run(suite, "--trm-bundle", toy_bundle, "-k", "own")
    assert "1 passed, 1 deselected" in selected.stdout


def test_a_regression_is_a_failed_test(suite: Path, toy_bundle: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    update = trm_edge("regress", toy_bundle, "--baseline", baseline, "--update", "--no-speed")
    assert update.exit_code == 0
    changed = injuries().injured(toy_bundle, tmp_path / "b", injuries().halting_shifted(50.0))
    selected = "same_step or fixed or engine"
    options = ("-v", "-rs", "--trm-bundle", changed, "--trm-baseline", baseline, "-k", selected)
    process = run(suite, *options)
    assert process.returncode == 1
    assert "regress[halting.same_step] FAILED" in process.stdout
    assert "regress[exact_match.fixed] PASSED" in process.stdout
    assert "halting.same_step: 100.0 % before, " in process.stdout
    assert "does not apply to this bundle" in process.stdout
    assert "Traceback" not in process.stdout
    assert "1 failed, 1 passed, 3 skipped" in process.stdout


def test_misuse(suite: Path, toy_bundle: Path, tmp_path: Path) -> None:
    process = run(suite, "--trm-bundle", tmp_path / "absent")
    assert process.returncode == 4
    assert "there is no bundle" in process.stderr
    assert "Traceback" not in process.stderr
    process = run(suite, "--trm-bundle", toy_bundle, "--trm-baseline", "a", "--trm-baseline", "b")
    assert "pass one baseline for each bundle, or none" in process.stderr
