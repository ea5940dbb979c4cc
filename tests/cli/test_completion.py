"""Completion as a shell asks for it: through ``_TRM_EDGE_COMPLETE``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from trm_edge.cli.main import COMMANDS, cli
from trm_edge.targets.profiles import profile_names
from trm_edge.tasks import TASKS


def completed(*words: str, incomplete: str = "") -> list[str]:
    """What Tab offers after ``trm-edge WORDS``; a kind such as "dir" is left to the shell."""
    shell = ShellComplete(cli, {}, "trm-edge", "_TRM_EDGE_COMPLETE")
    items = shell.get_completions(list(words), incomplete)
    return [item.value if item.type == "plain" else f"<{item.type}>" for item in items]


def test_commands_and_options() -> None:
    assert completed(incomplete="re") == ["regress", "report"]
    assert set(completed()) == set(COMMANDS)
    assert completed("solve", incomplete="--halt-") == ["--halt-threshold"]


@pytest.mark.parametrize("words", [("targets",), ("export", "--target")])
def test_names_of_targets(words: tuple[str, ...]) -> None:
    assert completed(*words) == profile_names()
    assert completed(*words, incomplete="l4") == ["l4", "l40s"]
    assert completed(*words, incomplete="nothing") == []


def test_names_of_tasks() -> None:
    assert completed("export", "--task") == sorted(TASKS)


@pytest.mark.parametrize("command", ["solve", "parity", "bench", "report", "build", "regress"])
def test_targets_of_the_bundle(command: str, toy_bundle: Path, tmp_path: Path) -> None:
    assert completed(command, str(toy_bundle), "--target") == ["cpu"]
    assert completed(command, "--target", incomplete="c") == []
    assert completed(command, str(tmp_path), "--target") == []


def test_bundles(toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo-int8", "demo-fp8"):
        shutil.copytree(toy_bundle, tmp_path / name)
    (tmp_path / "demo-notes").mkdir()
    assert completed("solve", incomplete="dem") == ["demo-fp8", "demo-int8"]
    assert completed("export", "--into", incomplete="demo-i") == ["demo-int8"]
    assert completed("bench", "demo-int8", incomplete=f"{tmp_path}/demo-f") == [
        f"{tmp_path}/demo-fp8"
    ]
    assert completed("solve", incomplete="demo-n") == ["<dir>"]
    assert completed("solve", incomplete="no/such/folder/") == ["<dir>"]


@pytest.mark.parametrize("content", ["", "[" * 100_000, '{"targets": 5}', "[]", '{"targets": [5]}'])
def test_a_damaged_manifest_offers_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert completed("solve", str(tmp_path), "--target") == []


def test_a_shell_gets_the_script_and_the_names() -> None:
    program = "import sys; from trm_edge.cli.main import main; main()"
    for shell in ("bash", "zsh", "fish"):
        environment = {**os.environ, "_TRM_EDGE_COMPLETE": f"{shell}_source"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        if shell == "bash" and "bash version" in done.stderr.lower():
            continue  # click refuses to write the script where bash is missing or too old
        assert "_TRM_EDGE_COMPLETE" in done.stdout, done.stderr
    environment |= {
        "_TRM_EDGE_COMPLETE": "zsh_complete",
        "COMP_WORDS": "trm-edge targets jetson-orin-nx",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert "jetson-orin-nx" in done.stdout
