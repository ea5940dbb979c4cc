"""Debian packages that emulation needs, installed where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess

from lib.emulation.errors import EmulationError

# Programs, and the packages that bring them.
PROGRAMS = {
    "qemu-x86_64-static": "qemu-user-static",
    "qemu-aarch64-static": "qemu-user-static",
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
}


def missing_packages() -> list[str]:
    """List the Debian packages whose programs are not installed."""
    missing = [package for program, package in PROGRAMS.items() if not _which(program)]
    return sorted(set(missing))


def install_packages() -> None:
    """Install what is missing with ``apt-get``.

    Raises:
        EmulationError: there is no ``apt-get``, or it cannot install them.
    """
    missing = missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    if not _which("apt-get"):
        raise EmulationError(
            f"emulation needs {names}, and there is no apt-get here to install them with. Run it "
            "on Debian or Ubuntu, or install them by hand."
        )
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    for command in (["apt-get", "update"], install):
        run_as_root([*command, "--quiet=2"], f"cannot install {names}")


def run_as_root(command: list[str], failure: str) -> None:
    """Run a command that only root may run, through ``sudo`` for others.

    Args:
        command: program and arguments.
        failure: what could not be done, for the error.

    Raises:
        EmulationError: it failed; quotes the end of its output.
    """
    if os.geteuid() != 0:
        command = ["sudo", "--non-interactive", "env", f"PATH={_search_path()}", *command]
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "PATH": _search_path(),
    }
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise EmulationError(f"{failure}: {command[0]}: {error.strerror}") from error
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-1000:]
        raise EmulationError(f"{failure}: {' '.join(command)} failed:\n{output}")


def _which(program: str) -> str | None:
    return shutil.which(program, path=_search_path())


def _search_path() -> str:
    """The search path with the folders of administrators' programs."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
