"""Packages that are missing or too old, and the sentence that names them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from trm_edge.requirements import OLDEST, numbers, package_version, unmet_requirements

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]


def test_the_oldest_versions_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {}
    for requirement in project["dependencies"]:
        package, oldest = re.split(">=", requirement.partition(";")[0].strip())
        required[package] = oldest
    if sys.version_info >= (3, 11):
        del required["tomli"]
    assert required == dict(OLDEST)


def test_this_environment_has_all() -> None:
    assert unmet_requirements() == ()


@pytest.mark.parametrize(
    ("installed", "sentence"),
    [
        ("11.2.0", "rich 11.2.0 is too old; 13 or newer is needed"),
        (None, "rich is not installed; 13 or newer is needed"),
    ],
)
def test_old_and_missing_packages_are_named(installed: str | None, sentence: str) -> None:
    def version(name: str) -> str | None:
        return installed if name == "rich" else package_version(name)

    (unmet,) = unmet_requirements(version)
    assert str(unmet) == sentence
    assert unmet.requirement == "rich>=13"


def test_another_build_of_onnxruntime_is_enough() -> None:
    def version(name: str) -> str | None:
        return None if name == "onnxruntime" else package_version(name)

    assert unmet_requirements(version) == ()


@pytest.mark.parametrize(
    ("older", "newer"), [("8.0.4", "8.1"), ("1.9", "1.21.5"), ("12.6.3", "13"), ("", "1")]
)
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert numbers(older) < numbers(newer)


def run_with(tmp_path: Path, package: str, version: str, source: str) -> str:
    """Run the command line with a package of another version first on the path; its stderr."""
    (tmp_path / f"{package}.py").write_text(source)
    information = tmp_path / f"{package}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {package}\nVersion: {version}\n")
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "from trm_edge.cli.start import main\nmain(['targets'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    return run.stderr


@pytest.mark.parametrize(("package", "version"), [("rich", "11.2.0"), ("click", "8.0.4")])
def test_a_failure_is_explained_by_the_package_that_is_too_old(
    package: str, version: str, tmp_path: Path
) -> None:
    error = run_with(tmp_path, package, version, "")
    assert "Traceback" not in error
    assert f"{package} {version} is too old" in error
    assert f"-m pip install '{package}>={OLDEST[package]}'" in error


def test_a_failure_that_no_package_explains_stays_a_traceback(tmp_path: Path) -> None:
    error = run_with(tmp_path, "rich", "99.0", "raise RuntimeError('a fault of its own')")
    assert "Traceback" in error
    assert "a fault of its own" in error
