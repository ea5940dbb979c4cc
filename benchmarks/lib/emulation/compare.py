"""Comparison of a machine's answers with the native ones, and the floor that judges INT8.

The floor of a machine is what float32 itself does there: the number of puzzles whose answer or
halting step is another one than natively. INT8 may not change significantly more puzzles (Fisher's
exact test, one-sided), and may not move the carries further from native INT8 than quantization
moved those from float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from lib.emulation.recordings import Recording
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors

SIGNIFICANCE = 0.01  # how often a machine that only rounds differently fails, at most


@dataclass(frozen=True)
class Row:
    """One machine, model and precision.

    Args:
        machine: name of the machine.
        model: name of the bundle.
        precision: ``float32`` or ``int8``.
        puzzles: number of puzzles.
        steps: number of ACT steps.
        same_answers: puzzles answered as natively in this precision, both after the last step and
            where the halting rule stops.
        same_steps: puzzles that halt at the same step as natively in this precision.
        changed: puzzles with another answer or another halting step than natively.
        lost: puzzles that only native float32 solves where the halting rule stops.
        gained: puzzles that only this row solves there.
        q_halt_difference: largest difference of halting logits from native ones.
        cosines_native: carry cosines with the native run in this precision, first and last step.
        cosines_float32: carry cosines with native float32, first and last step.
        peak_bytes: peak memory of the process.
    """

    machine: str
    model: str
    precision: str
    puzzles: int
    steps: int
    same_answers: int
    same_steps: int
    changed: int
    lost: int
    gained: int
    q_halt_difference: float
    cosines_native: tuple[float, float]
    cosines_float32: tuple[float, float]
    peak_bytes: int


def compare_recordings(recordings: Sequence[Recording], native: Sequence[Recording]) -> list[Row]:
    """Compare recordings with the native ones of the same model.

    Args:
        recordings: of any machines.
        native: of this machine's own CPU, in every precision.
    """
    vectors = {(recording.model, recording.precision): recording.vectors for recording in native}
    rows = []
    for recording in recordings:
        same_precision = vectors[recording.model, recording.precision]
        float32 = vectors[recording.model, "float32"]
        rows.append(_row(recording, same_precision, float32))
    return rows


def problems(rows: Sequence[Row]) -> list[str]:
    """Judge the INT8 rows.

    Args:
        rows: of all machines, with the native ones.

    Returns:
        A sentence for each machine and model whose INT8 answers leave the floor.
    """
    by_key = {(row.machine, row.model, row.precision): row for row in rows}
    sentences = []
    for row in rows:
        if row.precision != "int8":
            continue
        floor = by_key[row.machine, row.model, "float32"]
        native = by_key["native", row.model, "int8"]
        name = f"{row.machine}, {row.model}"
        if fisher_exact(row.changed, floor.changed, row.puzzles) < SIGNIFICANCE:
            sentences.append(
                f"{name}: INT8 changes {row.changed} of {row.puzzles} puzzles, float32 "
                f"{floor.changed}"
            )
        moved = 1 - row.cosines_native[0]
        quantized = 1 - native.cosines_float32[0]
        if moved > quantized:
            sentences.append(
                f"{name}: carries are {moved:.1e} from those of native INT8 after the first step "
                f"(1 - cosine), and native INT8 is {quantized:.1e} from float32"
            )
    return sentences


def fisher_exact(changed: int, floor: int, puzzles: int) -> float:
    """Compute how likely so many changed puzzles are if both change equally many.

    Args:
        changed: puzzles that INT8 changes.
        floor: puzzles that float32 changes.
        puzzles: number of puzzles of each.

    Returns:
        One-sided p-value of Fisher's exact test.
    """
    both = changed + floor
    favourable = 0
    for count in range(changed, min(both, puzzles) + 1):
        favourable += comb(puzzles, count) * comb(puzzles, both - count)
    return favourable / comb(2 * puzzles, both)


def _row(recording: Recording, native: ParityVectors, float32: ParityVectors) -> Row:
    vectors = recording.vectors
    same_answers = np.ones(len(vectors), np.bool_)
    for adaptive in (False, True):
        answers = vectors.answers(adaptive=adaptive)
        same_answers &= (answers == native.answers(adaptive=adaptive)).all(1)
    same_steps = vectors.halting_steps == native.halting_steps
    against_native = compare(native, vectors)
    against_float32 = compare(float32, vectors)
    return Row(
        machine=recording.machine,
        model=recording.model,
        precision=recording.precision,
        puzzles=len(vectors),
        steps=vectors.q_halt.shape[1],
        same_answers=int(same_answers.sum()),
        same_steps=int(same_steps.sum()),
        changed=int((~(same_answers & same_steps)).sum()),
        lost=against_float32.adaptive.lost,
        gained=against_float32.adaptive.gained,
        q_halt_difference=float(np.abs(vectors.q_halt - native.q_halt).max()),
        cosines_native=_ends(against_native.carry.by_step),
        cosines_float32=_ends(against_float32.carry.by_step),
        peak_bytes=recording.peak_bytes,
    )


def _ends(cosines: Sequence[Any]) -> tuple[float, float]:
    return float(cosines[0]), float(cosines[-1])
