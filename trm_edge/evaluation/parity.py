"""Is a quantized model still the same model? Per puzzle and in pairs, against its own float32."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import BundleError
from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.manifest import Limits
from trm_edge.puzzle import Tokens

_BINS = 10  # of the halting head's probability


@dataclass(frozen=True)
class ModeParity:
    """One halting mode. Shares lie in 0..1, the drop is in points of exact match."""

    mode: str
    exact_reference: float
    exact_candidate: float
    interval_reference: tuple[float, float]  # 95 %, Wilson
    interval_candidate: tuple[float, float]
    drop: float  # points: positive where the candidate is worse
    interval_drop: tuple[float, float]  # points, 95 %, from the flips
    lost: int  # solved by the reference alone
    gained: int  # solved by the candidate alone
    p_value: float  # exact McNemar: could these flips be chance?
    cells_reference: float  # share of cells that are right
    cells_candidate: float
    same_answer: float  # share of puzzles answered alike, right or wrong


@dataclass(frozen=True)
class HaltingParity:
    """When the two stop, and whether the halting head knows what it says."""

    agreement: float  # share of puzzles that stop at the same step
    steps_reference: float  # mean
    steps_candidate: float
    histogram_reference: tuple[int, ...]  # puzzles that stop at step 1, 2, ...
    histogram_candidate: tuple[int, ...]
    q_halt_difference: float  # mean |q_halt - reference's| over puzzles and steps
    first_step_difference: float  # the same at the first step alone
    # Mean gap between sigmoid(q_halt) and the share of right answers, over bins of equal width
    # and all steps (expected calibration error).
    calibration_reference: float
    calibration_candidate: float


@dataclass(frozen=True)
class CarryParity:
    """Mean cosine of the two carries after every step, over the puzzles whose carries are kept."""

    puzzles: int
    z_H: tuple[float, ...]
    z_L: tuple[float, ...]

    @property
    def by_step(self) -> tuple[float, ...]:
        """Of both states together."""
        return tuple((h + low) / 2 for h, low in zip(self.z_H, self.z_L, strict=True))


@dataclass(frozen=True)
class ParityReport:
    """A candidate engine held against the float32 answers on the same puzzles."""

    puzzles: int
    labelled: bool  # False: no answers are known, and the reference's count as right
    modes: tuple[ModeParity, ...]  # fixed, adaptive
    halting: HaltingParity
    carry: CarryParity

    @property
    def worst_drop(self) -> float:
        """Points, in the halting mode that loses more."""
        return max(mode.drop for mode in self.modes)

    @property
    def drop_bound(self) -> float:
        """Points: the upper end of the drop's interval, in the mode where it is higher."""
        return max(mode.interval_drop[1] for mode in self.modes)

    def broken(self, limits: Limits) -> list[str]:
        """What lies outside the limits, in words; empty where all holds."""
        problems = [
            f"{mode.mode}: {mode.drop:.2f} points of exact match are lost, at most "
            f"{limits.max_drop:.2f} may be"
            for mode in self.modes
            if mode.drop > limits.max_drop
        ]
        if self.halting.agreement < limits.min_halting_agreement:
            problems.append(
                f"{100 * self.halting.agreement:.1f} % of the puzzles stop at the same step, at "
                f"least {100 * limits.min_halting_agreement:.1f} % must"
            )
        return problems

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(reference: ParityVectors, candidate: ParityVectors) -> ParityReport:
    """Hold two runs over the same puzzles against each other.

    Raises:
        BundleError: they are not over the same puzzles.
    """
    if reference.predictions.shape != candidate.predictions.shape or not (
        np.array_equal(reference.tokens, candidate.tokens)
        and np.array_equal(reference.carry_positions, candidate.carry_positions)
    ):
        raise BundleError(
            f"parity needs both runs over the same puzzles and steps, but they answer "
            f"{reference.predictions.shape} and {candidate.predictions.shape} (puzzles, steps, "
            "cells). Export the checkpoint again."
        )
    return ParityReport(
        puzzles=len(reference),
        labelled=reference.labelled,
        modes=tuple(_mode(reference, candidate, adaptive=adaptive) for adaptive in (False, True)),
        halting=_halting(reference, candidate),
        carry=CarryParity(
            len(reference.carry_positions),
            _cosines(reference.z_H, candidate.z_H),
            _cosines(reference.z_L, candidate.z_L),
        ),
    )


def _mode(reference: ParityVectors, candidate: ParityVectors, *, adaptive: bool) -> ModeParity:
    old, new = reference.answers(adaptive=adaptive), candidate.answers(adaptive=adaptive)
    truth = _truth(reference, old)
    was, now = (old == truth).all(1), (new == truth).all(1)
    lost, gained = int((was & ~now).sum()), int((now & ~was).sum())
    n = len(truth)
    low, high = paired_drop(lost, gained, n)
    return ModeParity(
        mode="adaptive" if adaptive else "fixed",
        exact_reference=_share(was),
        exact_candidate=_share(now),
        interval_reference=wilson_interval(int(was.sum()), n),
        interval_candidate=wilson_interval(int(now.sum()), n),
        drop=100 * (lost - gained) / n,
        interval_drop=(100 * low, 100 * high),
        lost=lost,
        gained=gained,
        p_value=mcnemar_exact(lost, gained),
        cells_reference=_share(old == truth),
        cells_candidate=_share(new == truth),
        same_answer=_share((old == new).all(1)),
    )


def _halting(reference: ParityVectors, candidate: ParityVectors) -> HaltingParity:
    difference = np.abs(reference.q_halt - candidate.q_halt)
    truth = _truth(reference, reference.predictions[:, -1])
    return HaltingParity(
        agreement=_share(reference.halting_steps == candidate.halting_steps),
        steps_reference=float(reference.halting_steps.mean()),
        steps_candidate=float(candidate.halting_steps.mean()),
        histogram_reference=_histogram(reference),
        histogram_candidate=_histogram(candidate),
        q_halt_difference=float(difference.mean()),
        first_step_difference=float(difference[:, 0].mean()),
        calibration_reference=_calibration_error(reference, truth),
        calibration_candidate=_calibration_error(candidate, truth),
    )


def _truth(reference: ParityVectors, answers: Tokens) -> Tokens:
    """The known answers (n, L), or the reference's own where they are not all known."""
    return reference.labels if reference.labelled else answers


def _histogram(run: ParityVectors) -> tuple[int, ...]:
    steps = run.q_halt.shape[1]
    counts = np.bincount(run.halting_steps, minlength=steps + 1)[1:]
    return tuple(int(count) for count in counts)


def _calibration_error(run: ParityVectors, truth: Tokens) -> float:
    right = (run.predictions == truth[:, None]).all(-1).ravel()
    said = (1 / (1 + np.exp(-run.q_halt.astype(np.float64)))).ravel()
    place = np.minimum((said * _BINS).astype(np.int64), _BINS - 1)
    gap = np.bincount(place, said - right, minlength=_BINS)
    return float(np.abs(gap).sum() / len(right))


def _cosines(one: NDArray[np.float16], other: NDArray[np.float16]) -> tuple[float, ...]:
    """Mean cosine by step of (m, T, D) vectors; a vector of zeros has cosine 0."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines = (a * b).sum(-1) / np.where(norms > 0, norms, 1)
    return tuple(float(mean) for mean in cosines.mean(0))


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean())
