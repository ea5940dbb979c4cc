"""The answers that each machine gives to the same puzzles, in each precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib.emulation import record
from lib.emulation.interpreter import Interpreter
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors

PRECISIONS = ("float32", "int8")


@dataclass(frozen=True)
class Plan:
    """How much is computed on every machine.

    Args:
        puzzles: number of held-out puzzles.
        steps: number of ACT steps.
        parity_puzzles: number of puzzles of ``trm-edge parity``, which runs all steps.
    """

    puzzles: int
    steps: int
    parity_puzzles: int


@dataclass(frozen=True)
class Recording:
    """One machine's answers in one precision.

    Args:
        machine: its name.
        model: name of the bundle.
        precision: of :data:`PRECISIONS`.
        vectors: answers and carries of every step.
        peak_bytes: peak memory of the process without the emulator's translated code.
    """

    machine: str
    model: str
    precision: str
    vectors: ParityVectors
    peak_bytes: int


def record_answers(
    interpreters: Mapping[str, Interpreter], model: str, bundle: Path, plan: Plan, folder: Path
) -> list[Recording]:
    """Let a machine solve a bundle's puzzles in every precision.

    Args:
        interpreters: of the machine, by precision.
        model: name of the bundle.
        bundle: its folder.
        plan: number of puzzles and steps.
        folder: for the recorded vectors; has to exist.

    Raises:
        EmulationError: the machine failed.
    """
    opened = Bundle.open(bundle)
    config = replace(opened.config, halt_max_steps=plan.steps)
    recordings = []
    for precision in PRECISIONS:
        interpreter = interpreters[precision]
        file = folder / f"{interpreter.name}-{model}-{precision}.npz"
        sizes: Sequence[str] = (str(plan.puzzles), str(plan.steps))
        output = interpreter.run(record.__file__, bundle, precision, *sizes, file)
        vectors = ParityVectors.decode(file.read_bytes(), config, str(file))
        peak_bytes = int(output.split()[-1])
        recordings.append(Recording(interpreter.name, model, precision, vectors, peak_bytes))
    return recordings
