"""Python on a CPU: this machine's own, or an emulated one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lib.emulation.errors import EmulationError
from lib.emulation.machines import Machine
from lib.emulation.roots import arm_python, write_cpuinfo

_HARMLESS = "warning: TCG doesn't support requested feature"


@dataclass(frozen=True)
class Interpreter:
    """A command that starts Python with trm-edge installed.

    Args:
        name: of the machine, for errors.
        command: program and its first arguments; a script or ``-m`` follows.
        site: folder of installed modules.
    """

    name: str
    command: tuple[str, ...]
    site: Path

    def run(self, *arguments: str | Path, accept: Collection[int] = (0,)) -> str:
        """Run Python with these arguments.

        Args:
            arguments: for the interpreter.
            accept: exit codes that are not an error.

        Returns:
            What it wrote to standard output.

        Raises:
            EmulationError: another exit code; quotes the end of its standard error.
        """
        tail = [str(argument) for argument in arguments]
        environment = {**os.environ, "PYTHONPATH": str(self.site), "PYTHONNOUSERSITE": "1"}
        environment["OMP_NUM_THREADS"] = "1"
        done = subprocess.run(
            [*self.command, *tail],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode not in accept:
            lines = [line for line in done.stderr.splitlines() if _HARMLESS not in line]
            reason = "\n".join(lines[-12:])
            raise EmulationError(
                f"{self.name}: python {' '.join(tail)} exited with {done.returncode}:\n{reason}"
            )
        return done.stdout


def real_python() -> str:
    """Return the path of the interpreter behind a virtual environment: a file, not a link."""
    return str(Path(sys.executable).resolve())


def native_interpreter(site: Path) -> Interpreter:
    """Python on this machine's own CPU.

    Args:
        site: folder of installed modules.
    """
    return Interpreter("native", (real_python(),), site)


def emulated_interpreter(machine: Machine, root: Path, site: Path, *, cpu: str = "") -> Interpreter:
    """Python on an emulated CPU.

    Args:
        machine: the CPU.
        root: folder whose files the process sees before those of this machine; for aarch64 it
            holds Python. Its ``/proc/cpuinfo`` is written, so a root is of one CPU at a time.
        site: folder of installed modules.
        cpu: value of ``-cpu`` instead of the machine's.
    """
    write_cpuinfo(root, machine)
    if machine.architecture == "aarch64":
        emulator = "qemu-aarch64-static"
        python = str(arm_python(root))
    else:
        emulator = "qemu-x86_64-static"
        python = real_python()
    command = (emulator, "-cpu", cpu or machine.cpu, "-L", str(root), python)
    return Interpreter(machine.name, command, site)
