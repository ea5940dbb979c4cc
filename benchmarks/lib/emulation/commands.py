"""The commands of a user, run on a machine: help, doctor, inspect, solve and parity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lib.emulation.errors import EmulationError
from lib.emulation.interpreter import Interpreter
from lib.emulation.machines import Machine

_MODULE = ("-m", "trm_edge")
_SATURATES = "this CPU has no VNNI, and its kernels saturate at the largest values"


def check_installation(interpreter: Interpreter, machine: Machine) -> None:
    """Run ``--help`` and ``doctor``, and check what doctor says about INT8 kernels.

    Args:
        interpreter: of the machine.
        machine: what is expected of it.

    Raises:
        EmulationError: a command failed or says something else.
    """
    help_text = interpreter.run(*_MODULE, "--help")
    if "Usage: trm-edge" not in help_text:
        raise EmulationError(f"{machine.name}: trm-edge --help printed {help_text[:200]!r}")
    report = json.loads(interpreter.run(*_MODULE, "doctor", "--json"))
    abilities = {ability["id"]: ability for ability in report["abilities"]}
    _check_kernels(machine, abilities["exact_int8"])
    if not abilities["solve_cpu"]["available"]:
        raise EmulationError(f"{machine.name}: doctor says that it cannot solve: {report}")


def check_bundle(interpreter: Interpreter, bundle: Path, parity_puzzles: int) -> None:
    """Run ``inspect``, ``solve`` and ``parity`` of a bundle.

    Args:
        interpreter: of the machine.
        bundle: folder of the bundle.
        parity_puzzles: number of puzzles that parity solves. They are too few to judge limits by,
            so its exit code may be 1.

    Raises:
        EmulationError: a command failed or printed nothing of use.
    """
    interpreter.run(*_MODULE, "inspect", bundle)
    lines = interpreter.run(*_MODULE, "solve", bundle, "--format", "json", "--threads", "1")
    answers: list[dict[str, Any]] = [json.loads(line) for line in lines.splitlines()]
    solved = [answer for answer in answers if answer.get("answer")]
    if not solved or len(solved) < len(answers):
        raise EmulationError(f"{interpreter.name}: solve answered {len(solved)} of {len(answers)}")
    options = ("--puzzles", str(parity_puzzles), "--threads", "1", "--json")
    output = interpreter.run(*_MODULE, "parity", bundle, *options, accept=(0, 1))
    puzzles = json.loads(output)["puzzles"]
    if puzzles != parity_puzzles:
        raise EmulationError(f"{interpreter.name}: parity solved {puzzles} of {parity_puzzles}")


def _check_kernels(machine: Machine, ability: dict[str, Any]) -> None:
    """Compare doctor's ``exact_int8`` with what the CPU's kernels are known to do."""
    if machine.exact_kernels is None:
        return
    expected_reason = None if machine.exact_kernels else _SATURATES
    actual = (ability["available"], ability["reason"])
    expected = (machine.exact_kernels, expected_reason)
    if actual != expected:
        raise EmulationError(
            f"{machine.name}: doctor's exact_int8 is {actual}, expected {expected}"
        )
