"""The page with the table of all machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lib.emulation.compare import Row, problems
from lib.emulation.machines import MACHINES

_COLUMNS = (
    "machine",
    "instruction set",
    "model",
    "precision",
    "same answers",
    "same halting step",
    "flips against native float32",
    "largest q_halt difference",
    "carry cosine to native float32, first / last step",
    "peak memory, MB",
)

_EXPLANATION = """\
Answers, halting steps and q_halt are compared with the native run in the same precision; *same
answers* counts puzzles whose answers are equal both after the last step and where the halting rule
stops. Flips are puzzles that only native float32 solves (-), or only this row (+), where the
halting rule stops. Peak memory is that of the process without the emulator's translated code, but
with the emulator itself. float32 on Haswell runs without its fused multiply-add, which QEMU
emulates too slowly."""
_WITHIN_FLOOR = "On no machine does INT8 change more than float32 itself."


def page(report: Mapping[str, Any]) -> str:
    """Write the page of a report.

    Args:
        report: the content of ``emulated.json``.
    """
    plan = report["plan"]
    sizes = f"--puzzles {plan['puzzles']} --steps {plan['steps']}"
    natives = report["natives"]
    rows = [Row(**row) for row in report["rows"]]
    sentences = problems(rows)
    verdict = _WITHIN_FLOOR
    if sentences:
        verdict = "\n".join(["Outside the floor:", "", *(f"- {line}" for line in sentences)])
    paragraphs = [
        "# The bundled models on emulated CPUs",
        f"`python benchmarks/emulated.py {sizes} --output benchmarks/results`: {plan['puzzles']} "
        f"held-out puzzles of each model, {plan['steps']} ACT steps, one thread.",
        "\n".join(f"- native machine of {model}: {natives[model]['machine']}" for model in natives),
        _EXPLANATION,
        table(rows, natives),
        verdict,
    ]
    return "\n\n".join(paragraphs) + "\n"


def table(rows: Sequence[Row], natives: Mapping[str, Mapping[str, str]]) -> str:
    """Format one line for each machine, model and precision, as Markdown.

    Args:
        rows: the comparisons.
        natives: by model, the ``machine`` that ran natively and its ``instructions``.
    """
    instructions = {machine.name: machine.instructions for machine in MACHINES}
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for row in rows:
        first, last = row.cosines_float32
        cells = [
            row.machine,
            instructions.get(row.machine) or natives[row.model]["instructions"],
            row.model,
            row.precision,
            f"{row.same_answers} of {row.puzzles}",
            f"{row.same_steps} of {row.puzzles}",
            f"-{row.lost} +{row.gained}",
            f"{row.q_halt_difference:.1e}",
            f"{first:.4f} / {last:.4f}",
            f"{row.peak_bytes / 1e6:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
