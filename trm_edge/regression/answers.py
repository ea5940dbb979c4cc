"""Answers of a target to the held-out puzzles, reduced to what a later run is compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.carry import cosine_similarity
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle import Tokens, unknown_label


@dataclass(frozen=True)
class Answers:
    """Answers of an engine to n puzzles.

    Args:
        puzzles: sha256 of the puzzles' tokens and identifiers.
        labels: sha256 of the known answers.
        right_fixed: (n,) bool, whether the answer after the last step is right.
        right_adaptive: (n,) bool, whether the answer at the halting step is right.
        steps: (n,) int32, the halting step of each puzzle, from 1.
        error: (m,) float64, 1 - cosine to the float32 carry after the first step, for the m puzzles
            whose carries are recorded.
        float32_steps: (n,) int32, the halting step of each puzzle in float32; None in a baseline,
            which is compared with the float32 of the bundle at hand.
    """

    puzzles: str
    labels: str
    right_fixed: NDArray[np.bool_]
    right_adaptive: NDArray[np.bool_]
    steps: NDArray[np.int32]
    error: NDArray[np.float64]
    float32_steps: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        """Count the puzzles."""
        return len(self.steps)

    @classmethod
    def of(cls, reference: ParityVectors, candidate: ParityVectors) -> Answers:
        """Judge a candidate's answers.

        Args:
            reference: the float32 model's answers. They count as right where no answer is known.
            candidate: the target's answers to the same puzzles.
        """
        fixed = candidate.answers(adaptive=False) == _truth(reference, adaptive=False)
        adaptive = candidate.answers(adaptive=True) == _truth(reference, adaptive=True)
        return cls(
            puzzles=_digest(reference.tokens, reference.identifiers),
            labels=_digest(reference.labels),
            right_fixed=fixed.all(1),
            right_adaptive=adaptive.all(1),
            steps=candidate.halting_steps,
            error=_first_step_error(reference, candidate),
            float32_steps=reference.halting_steps,
        )


def _truth(reference: ParityVectors, *, adaptive: bool) -> Tokens:
    """Known answers (n, L), and the reference's own for puzzles that are not fully labelled."""
    labels = reference.labels
    if reference.labelled:
        return labels
    unlabelled = (labels == unknown_label(labels.dtype)).any(1, keepdims=True)
    return np.where(unlabelled, reference.answers(adaptive=adaptive), labels)


def _first_step_error(reference: ParityVectors, candidate: ParityVectors) -> NDArray[np.float64]:
    """1 - cosine after the first step, mean of both states, by puzzle (m,)."""
    cosine_H = cosine_similarity(reference.z_H[:, 0], candidate.z_H[:, 0])
    cosine_L = cosine_similarity(reference.z_L[:, 0], candidate.z_L[:, 0])
    error: NDArray[np.float64] = np.maximum(1 - (cosine_H + cosine_L) / 2, 0.0)
    return error


def _digest(*arrays: NDArray[Any]) -> str:
    """sha256 of shapes, types and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
