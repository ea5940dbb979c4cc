"""The Makefile's roads into the project, with a stand-in for pip."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A Python whose venv has a pip that writes down its arguments and reaches the default index alone.
PIP = """#!/bin/sh
echo "$@" >> pip.log
case "$*" in *unreachable*) exit 1;; esac
"""
PYTHON = """#!/bin/sh
mkdir -p "$3/bin"
cp pip "$3/bin/pip"
printf '#!/bin/sh\\necho trm-edge of the environment\\n' > "$3/bin/trm-edge"
chmod +x "$3/bin/trm-edge"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name, text in (("pip", PIP), ("python", PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str, text: str = "") -> str:
    """Run make and return what pip was called with, a line a call."""
    environment = {**os.environ, "SHELL": "/bin/sh"}
    for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VIRTUAL_ENV"):
        environment.pop(variable, None)
    run = subprocess.run(
        ["make", "-C", str(checkout), f"PYTHON={checkout / 'python'}", *arguments],
        input=text,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def pip_calls(checkout: Path) -> list[str]:
    return (checkout / "pip.log").read_text().splitlines()


def test_pip_shows_its_progress(checkout: Path) -> None:
    make(checkout, ".venv/.export", "TORCH_INDEX=")
    (call,) = pip_calls(checkout)
    assert call == "install --constraint constraints.txt --editable .[export,report]"
    assert "--quiet" not in (checkout / "Makefile").read_text()


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="only there has the package index a PyTorch with CUDA",
)
def test_an_index_that_cannot_be_reached_is_passed_over(checkout: Path) -> None:
    make(checkout, ".venv/.export", "TORCH_INDEX=https://unreachable.example")
    calls = pip_calls(checkout)
    assert [call.rpartition(" ")[2] for call in calls] == ["torch", ".[export,report]"]
    assert "--retries 0" in calls[0]
    assert "unreachable" not in calls[1]


def test_the_shell_finds_the_command(checkout: Path) -> None:
    output = make(checkout, "shell", "TORCH_INDEX=", text="trm-edge\n")
    assert "trm-edge of the environment" in output


def test_a_wheel_needs_no_extra_and_replaces_the_last_one(checkout: Path) -> None:
    (checkout / "dist").mkdir()
    (checkout / "dist" / "trm_edge-0.0.1-py3-none-any.whl").touch()
    (checkout / "build" / "lib" / "stale").mkdir(parents=True)
    make(checkout, "wheel")
    assert pip_calls(checkout) == ["wheel --no-deps --wheel-dir dist ."]
    assert not list((checkout / "dist").iterdir())
    assert not (checkout / "build" / "lib").exists()
