"""Folders that emulated processes see as ``/``, and trm-edge installed for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.emulation.errors import EmulationError
from lib.emulation.machines import Architecture, Machine
from lib.emulation.packages import run_as_root

SUITE = "bookworm"  # its Python is 3.11
ARM_PYTHON = "3.11"
# Of Python, and of the wheels: ONNX Runtime is C++.
_ARM_PACKAGES = "python3,python3-minimal,libstdc++6,libgcc-s1"
_STAMP = ".complete"
_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")


def make_arm_root(folder: Path) -> None:
    """Make a root of Debian's arm64 packages with Python, unless it is there.

    Nothing of it is run to install it: the packages are only unpacked.

    Args:
        folder: of the root; its parent has to exist.

    Raises:
        EmulationError: the packages cannot be downloaded or unpacked.
    """
    stamp = folder / _STAMP
    if stamp.exists():
        return
    if folder.exists():
        shutil.rmtree(folder)
    options = ["--arch=arm64", "--foreign", "--variant=minbase", f"--include={_ARM_PACKAGES}"]
    failure = f"cannot make an arm64 root of Debian {SUITE}"
    run_as_root(["debootstrap", *options, SUITE, str(folder)], failure)
    if os.geteuid() != 0:
        run_as_root(["chown", "-R", str(os.geteuid()), str(folder)], failure)
    packages = sorted((folder / "var/cache/apt/archives").glob("*.deb"))
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(folder)], f"cannot unpack {package.name}")
    if not arm_python(folder).exists():
        raise EmulationError(f"{failure}: {len(packages)} packages hold no {arm_python(folder)}")
    stamp.write_text(f"{SUITE}\n")


def arm_python(root: Path) -> Path:
    """Name the interpreter of an arm64 root.

    Args:
        root: folder of the root.
    """
    return root / "usr/bin" / f"python{ARM_PYTHON}"


def write_cpuinfo(root: Path, machine: Machine) -> None:
    """Let processes of a root read the ``/proc/cpuinfo`` of the CPU that is emulated.

    Args:
        root: folder of the root.
        machine: the CPU.
    """
    path = root / "proc/cpuinfo"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(machine.cpuinfo())


def build_wheel(checkout: Path, folder: Path) -> Path:
    """Build the wheel of trm-edge as for a release: by way of the source distribution.

    Args:
        checkout: root of the repository.
        folder: where the wheel is put; emptied before.

    Raises:
        EmulationError: the build failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    _run([*command, str(checkout)], "cannot build the wheel")
    return next(folder.glob("*.whl"))


def install(wheel: Path, site: Path, architecture: Architecture, constraints: Path) -> None:
    """Install the wheel and what it depends on into a folder of modules.

    What is there already is kept if it is of the same versions; trm-edge itself never is.

    Args:
        wheel: of trm-edge.
        site: folder for ``PYTHONPATH``.
        architecture: of the wheels.
        constraints: versions, as for ``pip install --constraint``.

    Raises:
        EmulationError: a package cannot be had for that architecture.
    """
    pinned = constraints.read_text()
    stamp = site / _STAMP
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site)]
    command += ["--disable-pip-version-check", "--no-compile"]
    if architecture == "aarch64":
        command += ["--only-binary=:all:", "--python-version", ARM_PYTHON]
        for platform in _PLATFORMS:
            command += ["--platform", platform]
    failure = f"cannot install trm-edge for {architecture}"
    if stamp.exists() and stamp.read_text() == pinned:
        _run([*command, "--upgrade", "--no-deps", str(wheel)], failure)
        return
    shutil.rmtree(site, ignore_errors=True)
    _run([*command, "--constraint", str(constraints), str(wheel)], failure)
    stamp.write_text(pinned)


def _run(command: Sequence[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-1000:]
        raise EmulationError(f"{failure}: {' '.join(command)} failed:\n{output}")
