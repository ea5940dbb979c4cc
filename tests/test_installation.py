"""Modules are found where they are installed, and a Jetson by its files."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from trm_edge.installation import jetson_board, module_folders, system_folders


def install(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").touch()
    return folder


def test_the_folder_in_use_comes_first(tmp_path: Path) -> None:
    of_pip = install(tmp_path / "venv" / "site-packages", "tensorrt")
    of_jetpack = install(tmp_path / "usr" / "dist-packages", "tensorrt")
    search = [str(tmp_path), str(of_pip), str(of_jetpack), str(of_pip)]
    assert module_folders("tensorrt", search) == (of_pip, of_jetpack)
    assert module_folders("tensorrt_rtx", search) == ()
    assert module_folders("numpy")


def test_system_packages_are_seen_from_any_environment(tmp_path: Path) -> None:
    folder = install(tmp_path / "python3.10" / "dist-packages", "tensorrt")
    install(tmp_path / "python3" / "dist-packages", "apt")
    assert system_folders("tensorrt", tmp_path) == (folder,)


@pytest.mark.parametrize(
    ("model", "has_release", "board"),
    [
        ("NVIDIA Jetson Orin Nano Developer Kit\0", True, "NVIDIA Jetson Orin Nano Developer Kit"),
        ("NVIDIA IGX Thor\0", False, "NVIDIA IGX Thor"),
        (None, True, "NVIDIA Jetson"),
        ("Raspberry Pi 5\0", False, None),
        (None, False, None),
    ],
)
def test_a_jetson_is_known_by_its_files(
    model: str | None,
    has_release: bool,
    board: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    if model is not None:
        (tmp_path / "model").write_text(model)
    if has_release:
        (tmp_path / "release").touch()
    assert jetson_board(tmp_path / "model", tmp_path / "release") == board
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert jetson_board(tmp_path / "model", tmp_path / "release") is None


def test_an_environment_is_opened_to_the_systems_packages_and_keeps_its_own(
    tmp_path: Path,
) -> None:
    """The command that doctor advises does what it says."""
    environment = tmp_path / "trm"
    make = [sys.executable, "-m", "venv", "--without-pip"]
    subprocess.run([*make, str(environment)], check=True)
    (site,) = environment.glob("lib/python3*/site-packages")
    (site / "mine.py").touch()
    settings = environment / "pyvenv.cfg"
    assert "include-system-site-packages = false" in settings.read_text()
    subprocess.run([*make, "--system-site-packages", str(environment)], check=True)
    assert "include-system-site-packages = true" in settings.read_text()
    assert (site / "mine.py").exists()
