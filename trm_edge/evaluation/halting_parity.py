"""Comparison of halting: when two runs stop, and how well their halting heads are calibrated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.halting import confidence
from trm_edge.tasks.dataset import IGNORED

_BINS = 10  # equal-width bins of the halting head's probability


@dataclass(frozen=True)
class HaltingParity:
    """When the reference and the candidate stop, and how well their halting heads are calibrated.

    Args:
        agreement: share of puzzles that stop at the same step, 0..1.
        steps_reference: mean ACT steps of the reference.
        steps_candidate: mean ACT steps of the candidate.
        histogram_reference: number of puzzles that stop at step 1, 2, ...
        histogram_candidate: the same for the candidate.
        q_halt_difference: mean absolute difference of q_halt over puzzles and steps, a logit.
        first_step_difference: the same at the first step only.
        calibration_reference: expected calibration error of the reference: mean gap between
            sigmoid(q_halt) and the share of right answers, over ten bins of equal width and all
            steps. None where the right answers are not known.
        calibration_candidate: the same for the candidate.
    """

    agreement: float
    steps_reference: float
    steps_candidate: float
    histogram_reference: tuple[int, ...]
    histogram_candidate: tuple[int, ...]
    q_halt_difference: float
    first_step_difference: float
    calibration_reference: float | None
    calibration_candidate: float | None


def halting_parity(reference: ParityVectors, candidate: ParityVectors) -> HaltingParity:
    """Compare the halting of two runs over the same puzzles.

    Args:
        reference: the float32 model's run, with the known answers.
        candidate: the run to judge.
    """
    difference = np.abs(reference.q_halt - candidate.q_halt)
    same_step = reference.halting_steps == candidate.halting_steps
    return HaltingParity(
        agreement=float(same_step.mean()),
        steps_reference=float(reference.halting_steps.mean()),
        steps_candidate=float(candidate.halting_steps.mean()),
        histogram_reference=_histogram(reference),
        histogram_candidate=_histogram(candidate),
        q_halt_difference=float(difference.mean()),
        first_step_difference=float(difference[:, 0].mean()),
        calibration_reference=_calibration_error(reference, reference),
        calibration_candidate=_calibration_error(candidate, reference),
    )


def _histogram(run: ParityVectors) -> tuple[int, ...]:
    steps = run.q_halt.shape[1]
    counts: NDArray[np.int64] = np.bincount(run.halting_steps, minlength=steps + 1)
    return tuple(counts[1:].tolist())


def _calibration_error(run: ParityVectors, reference: ParityVectors) -> float | None:
    if not reference.labelled:
        return None
    truth = reference.labels[:, None]
    right = ((run.predictions == truth) | (truth == IGNORED)).all(-1).ravel()
    probability = confidence(run.q_halt).ravel()
    bins = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, probability - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))
