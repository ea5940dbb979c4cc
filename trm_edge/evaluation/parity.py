"""Is a quantized model still the same model? Per puzzle and in pairs, against its own float32."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.statistics import mcnemar_exact, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.manifest import Limits


@dataclass(frozen=True)
class ModeParity:
    """One halting mode. Shares lie in 0..1, the drop is in points of exact match."""

    mode: str
    exact_reference: float
    exact_candidate: float
    interval_reference: tuple[float, float]  # 95 %, Wilson
    interval_candidate: tuple[float, float]
    drop: float  # points: positive where the candidate is worse
    lost: int  # solved by the reference alone
    gained: int  # solved by the candidate alone
    p_value: float  # exact McNemar: could these flips be chance?
    cells_reference: float  # share of cells that are right
    cells_candidate: float
    same_answer: float  # share of puzzles answered alike, right or wrong


@dataclass(frozen=True)
class ParityReport:
    """A candidate engine held against the float32 answers on the same puzzles."""

    puzzles: int
    labelled: bool  # False: no answers are known, and the reference's count as right
    modes: tuple[ModeParity, ...]
    halting_agreement: float  # share of puzzles that stop at the same step
    steps_reference: float  # mean
    steps_candidate: float
    q_halt_difference: float  # mean |q_halt - reference's| over puzzles and steps
    first_step_difference: float  # the same at the first step alone

    def broken(self, limits: Limits) -> list[str]:
        """What lies outside the limits, in words; empty where all holds."""
        problems = [
            f"{mode.mode}: {mode.drop:.2f} points of exact match are lost, at most "
            f"{limits.max_drop:.2f} may be"
            for mode in self.modes
            if mode.drop > limits.max_drop
        ]
        if self.halting_agreement < limits.min_halting_agreement:
            problems.append(
                f"{100 * self.halting_agreement:.1f} % of the puzzles stop at the same step, at "
                f"least {100 * limits.min_halting_agreement:.1f} % must"
            )
        return problems

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(reference: ParityVectors, candidate: ParityVectors) -> ParityReport:
    """Hold two runs over the same puzzles against each other."""
    difference = np.abs(reference.q_halt - candidate.q_halt)
    return ParityReport(
        puzzles=len(reference),
        labelled=reference.labelled,
        modes=tuple(_mode(reference, candidate, adaptive=adaptive) for adaptive in (False, True)),
        halting_agreement=_share(reference.halting_steps == candidate.halting_steps),
        steps_reference=float(reference.halting_steps.mean()),
        steps_candidate=float(candidate.halting_steps.mean()),
        q_halt_difference=float(difference.mean()),
        first_step_difference=float(difference[:, 0].mean()),
    )


def _mode(reference: ParityVectors, candidate: ParityVectors, *, adaptive: bool) -> ModeParity:
    old, new = reference.answers(adaptive=adaptive), candidate.answers(adaptive=adaptive)
    truth = reference.labels if reference.labelled else old
    was, now = (old == truth).all(1), (new == truth).all(1)
    lost, gained = int((was & ~now).sum()), int((now & ~was).sum())
    n = len(truth)
    return ModeParity(
        mode="adaptive" if adaptive else "fixed",
        exact_reference=_share(was),
        exact_candidate=_share(now),
        interval_reference=wilson_interval(int(was.sum()), n),
        interval_candidate=wilson_interval(int(now.sum()), n),
        drop=100 * (lost - gained) / n,
        lost=lost,
        gained=gained,
        p_value=mcnemar_exact(lost, gained),
        cells_reference=_share(old == truth),
        cells_candidate=_share(new == truth),
        same_answer=_share((old == new).all(1)),
    )


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean())
