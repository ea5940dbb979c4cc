"""The table of all machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lib.emulation.compare import Row

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


def table(rows: Sequence[Row], instructions: Mapping[str, str]) -> str:
    """Format one line for each machine, model and precision, as Markdown.

    Args:
        rows: the comparisons.
        instructions: instruction set by name of the machine.
    """
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for row in rows:
        first, last = row.cosines_float32
        cells = [
            row.machine,
            instructions[row.machine],
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
