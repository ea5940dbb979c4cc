"""Risk and coverage: how many answers a threshold of confidence lets through, and how many of these
are wrong. It is what ``trm-edge solve --answer-if P`` is chosen by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.halting import confidence

# Thresholds on sigmoid(q_halt); the halting head is sure long before its answers differ in risk.
THRESHOLDS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)


@dataclass(frozen=True)
class CoveragePoint:
    """The answers whose confidence reaches a threshold, halting adaptively.

    Args:
        min_confidence: the threshold, 0..1.
        answered: number of puzzles with such an answer.
        wrong: number of these answers that are wrong.
        coverage: share of all puzzles that are answered, 0..1.
        coverage_interval: its 95 % Wilson interval.
        risk: share of the answers that are wrong, 0..1; None where there are none.
        risk_interval: its 95 % Wilson interval; (0, 1) where there are none.
    """

    min_confidence: float
    answered: int
    wrong: int
    coverage: float
    coverage_interval: tuple[float, float]
    risk: float | None
    risk_interval: tuple[float, float]


@dataclass(frozen=True)
class Coverage:
    """Risk and coverage of two runs over the same puzzles, by threshold.

    Args:
        reference: of the float32 model.
        candidate: of the run to judge.
    """

    reference: tuple[CoveragePoint, ...]
    candidate: tuple[CoveragePoint, ...]


def coverage_of(reference: ParityVectors, candidate: ParityVectors) -> Coverage | None:
    """Measure risk and coverage.

    Args:
        reference: the float32 model's run, with the known answers.
        candidate: the run to judge.

    Returns:
        Both, or None where not every right answer is known.
    """
    if not reference.labelled:
        return None
    return Coverage(_points(reference, reference), _points(reference, candidate))


def _points(reference: ParityVectors, run: ParityVectors) -> tuple[CoveragePoint, ...]:
    right_answers = reference.right_answers(adaptive=True)
    is_wrong = (run.answers(adaptive=True) != right_answers).any(1)
    puzzles = np.arange(len(run))
    sureness = confidence(run.q_halt[puzzles, run.halting_steps - 1])
    points = []
    for threshold in THRESHOLDS:
        is_answered = sureness >= threshold
        answered = int(is_answered.sum())
        wrong = int((is_answered & is_wrong).sum())
        points.append(
            CoveragePoint(
                min_confidence=threshold,
                answered=answered,
                wrong=wrong,
                coverage=answered / len(run),
                coverage_interval=wilson_interval(answered, len(run)),
                risk=wrong / answered if answered else None,
                risk_interval=wilson_interval(wrong, answered),
            )
        )
    return tuple(points)
