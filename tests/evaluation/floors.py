"""An invented floor and invented runs beside it."""

from __future__ import annotations

from dataclasses import replace

from tests.evaluation.samples import fake_vectors
from trm_edge.evaluation.floor import FloatChange, NumericsFloor
from trm_edge.evaluation.vectors import ParityVectors


def changed_vectors() -> ParityVectors:
    """The fake runs with puzzle 1 lost in fixed mode, 2 in both, and 3 at another step."""
    vectors = fake_vectors()
    predictions = vectors.predictions.copy()
    predictions[1, -1, 5] += 1
    predictions[2, :, 5] += 1
    steps = vectors.halting_steps.copy()
    steps[3] = 17 - steps[3]
    return replace(vectors, predictions=predictions, halting_steps=steps)


def sample_floor() -> NumericsFloor:
    """A floor of 10 puzzles, of which bfloat16 loses two and moves three."""
    same = FloatChange("other_batch", (), (), (), (), (), 1.0)
    rounded = FloatChange("bfloat16_carry", (0, 9), (4,), (9,), (), (0, 4, 9), 0.99)
    return NumericsFloor(10, 8, (same, rounded))
