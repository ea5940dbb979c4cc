"""Answers of a target to the held-out puzzles, reduced to what a later run is compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.carry import cosine_similarity
from trm_edge.evaluation.vectors import ParityVectors


@dataclass(frozen=True)
class Answers:
    """Answers of an engine to n puzzles.

    Args:
        puzzles: sha256 of the puzzles' tokens and identifiers.
        labels: sha256 of the known answers.
        right_fixed: (n,) bool, whether the answer after the last step is right.
        right_adaptive: (n,) bool, the same at the halting step.
        steps: (n,) int32, the halting step of each puzzle, from 1.
        error: (m,) float64, 1 - cosine to the float32 carry after the first step, for the m puzzles
            whose carries are recorded.
        labelled: every right answer is known. Otherwise ``right_fixed`` and ``right_adaptive`` say
            whether the answer is the float32 model's, right or wrong.
        float32_steps: (n,) int32, the halting step of each puzzle in float32; None in a baseline,
            which is compared with the float32 of the bundle at hand.
    """

    puzzles: str
    labels: str
    right_fixed: NDArray[np.bool_]
    right_adaptive: NDArray[np.bool_]
    steps: NDArray[np.int32]
    error: NDArray[np.float64]
    labelled: bool = True
    float32_steps: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """Count the puzzles."""
        return len(self.steps)

    @property
    def figure(self) -> str:
        """What ``right_fixed`` and ``right_adaptive`` are a share of, in identifiers of checks."""
        return "exact_match" if self.labelled else "agreement"

    @classmethod
    def of(cls, reference: ParityVectors, candidate: ParityVectors) -> Answers:
        """Judge a candidate's answers.

        Args:
            reference: the float32 model's answers, and the known ones.
            candidate: the target's answers to the same puzzles.
        """
        fixed = candidate.answers(adaptive=False) == reference.right_answers(adaptive=False)
        adaptive = candidate.answers(adaptive=True) == reference.right_answers(adaptive=True)
        return cls(
            puzzles=_digest(reference.tokens, reference.identifiers),
            labels=_digest(reference.labels),
            right_fixed=fixed.all(1),
            right_adaptive=adaptive.all(1),
            steps=candidate.halting_steps,
            error=_first_step_error(reference, candidate),
            labelled=reference.labelled,
            float32_steps=reference.halting_steps,
        )


def _first_step_error(reference: ParityVectors, candidate: ParityVectors) -> NDArray[np.float64]:
    """1 - cosine after the first step, mean of all states, by puzzle (m,)."""
    cosines = np.zeros(len(reference.carry_positions))
    for name, carries in reference.carries.items():
        cosines += cosine_similarity(carries[:, 0], candidate.carries[name][:, 0])
    return np.maximum(1 - cosines / len(reference.carries), 0.0)


def _digest(*arrays: NDArray[Any]) -> str:
    """sha256 of shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
