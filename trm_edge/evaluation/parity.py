"""Parity: how a quantized model's answers differ from its own float32 answers, puzzle by puzzle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trm_edge import records
from trm_edge.errors import BundleError, ConfigError
from trm_edge.evaluation.carry import CarryParity, carry_parity
from trm_edge.evaluation.coverage import Coverage, coverage_of
from trm_edge.evaluation.floor import NumericsFloor
from trm_edge.evaluation.floor_report import FloorReport, floor_report
from trm_edge.evaluation.halting_parity import HaltingParity, halting_parity
from trm_edge.evaluation.limits import JudgedLimit, judge_agreement, judge_drop
from trm_edge.evaluation.statistics import mcnemar_exact, paired_drop, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.halting import HaltingMode
from trm_edge.manifest import Limits


@dataclass(frozen=True)
class ModeParity:
    """Accuracy of the reference and the candidate in one halting mode.

    Where no answers are known, the reference's count as right: the figures are then of agreement,
    not of accuracy.

    Args:
        mode: ``fixed`` or ``adaptive``.
        exact_reference: share of puzzles the reference solves, 0..1.
        exact_candidate: share of puzzles the candidate solves, 0..1.
        interval_reference: 95 % Wilson interval of ``exact_reference``.
        interval_candidate: 95 % Wilson interval of ``exact_candidate``.
        drop: points of exact match lost; positive where the candidate is worse.
        interval_drop: 95 % interval of ``drop`` in points, from the paired flips.
        lost: number of puzzles only the reference solves.
        gained: number of puzzles only the candidate solves.
        p_value: exact McNemar p-value: could these flips be chance?
        cells_reference: share of cells the reference gets right, 0..1.
        cells_candidate: share of cells the candidate gets right, 0..1.
        same_answer: share of puzzles with identical answers, right or wrong.
    """

    mode: HaltingMode
    exact_reference: float
    exact_candidate: float
    interval_reference: tuple[float, float]
    interval_candidate: tuple[float, float]
    drop: float
    interval_drop: tuple[float, float]
    lost: int
    gained: int
    p_value: float
    cells_reference: float
    cells_candidate: float
    same_answer: float


@dataclass(frozen=True)
class BrokenLimit:
    """An accuracy limit of the bundle that a report exceeds with its whole interval.

    Args:
        id: stable identifier: ``exact_match.fixed``, ``exact_match.adaptive`` or
            ``halting.agreement``.
        message: the measured value, its interval and the limit, for people.
    """

    id: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class ParityReport:
    """A candidate compared with the float32 answers to the same puzzles.

    Args:
        puzzles: number of puzzles.
        labelled: True where every right answer is known; otherwise the reference's answers count
            as right.
        fixed: accuracy after the last step.
        adaptive: accuracy at the step where the halting rule stops.
        halting: when the two stop.
        carry: cosine of the carries by step.
        puzzle_set: names the puzzles and their answers; reports of different sets cannot be
            compared. Empty in a file of an older version.
        floor: what float arithmetic alone changes on the same puzzles; None where the bundle does
            not record it.
        coverage: how many answers each confidence lets through, and how many of these are wrong;
            None where the right answers are not known, or in a file of an older version.

    Raises:
        ConfigError: there are no puzzles, or a count or a share is out of range.
    """

    puzzles: int
    labelled: bool
    fixed: ModeParity
    adaptive: ModeParity
    halting: HaltingParity
    carry: CarryParity
    puzzle_set: str = ""
    floor: FloorReport | None = None
    coverage: Coverage | None = None

    def __post_init__(self) -> None:
        if self.puzzles < 1:
            raise ConfigError(f"puzzles must be 1 or more, but is {self.puzzles}")
        for mode in self.modes:
            if min(mode.lost, mode.gained) < 0 or mode.lost + mode.gained > self.puzzles:
                raise ConfigError(
                    f"lost and gained must be of {self.puzzles} puzzles, but are {mode.lost} and "
                    f"{mode.gained}"
                )
        if not 0 <= self.halting.agreement <= 1:
            raise ConfigError(f"agreement must lie in 0..1, but is {self.halting.agreement}")

    @property
    def solved_puzzles(self) -> tuple[str, int]:
        """Tells reports of the same puzzles: their name and number."""
        return self.puzzle_set, self.puzzles

    @property
    def modes(self) -> tuple[ModeParity, ModeParity]:
        """Both halting modes, ``fixed`` first."""
        return self.fixed, self.adaptive

    @property
    def worst_drop(self) -> float:
        """Points of exact match lost in the halting mode that loses more."""
        return max(self.fixed.drop, self.adaptive.drop)

    @property
    def drop_bound(self) -> float:
        """Upper end of the drop's 95 % interval in points, in the mode where it is higher."""
        return max(self.fixed.interval_drop[1], self.adaptive.interval_drop[1])

    def judge(self, limits: Limits) -> list[JudgedLimit]:
        """Judge every limit with its interval and against the floor.

        Args:
            limits: the bundle's limits.

        Returns:
            One entry for each limit; none where the right answers are not known.
        """
        if not self.labelled:
            return []
        judged = []
        drop_floor = None
        step_floor = None
        if self.floor is not None:
            step_floor = self.floor.same_step_below(limits.min_halting_agreement)
        for mode in self.modes:
            if self.floor is not None:
                drop_floor = self.floor.drop_beyond(mode.mode, limits.max_drop)
            judged.append(
                judge_drop(
                    mode.mode,
                    mode.lost,
                    mode.gained,
                    self.puzzles,
                    limits.max_drop,
                    floor=drop_floor,
                )
            )
        same = round(self.halting.agreement * self.puzzles)
        judged.append(
            judge_agreement(same, self.puzzles, limits.min_halting_agreement, floor=step_floor)
        )
        return judged

    def broken(self, limits: Limits) -> list[BrokenLimit]:
        """List the limits that this report exceeds beyond chance; empty where none is.

        Accuracy is judged on known answers only: without them none is exceeded. :meth:`judge` also
        lists those that the puzzles are too few for.

        Args:
            limits: the bundle's limits.
        """
        broken = []
        for limit in self.judge(limits):
            if limit.verdict == "fail":
                broken.append(BrokenLimit(limit.id, limit.message))
        return broken

    def to_dict(self) -> dict[str, Any]:
        """Convert the report to dicts, lists, strings and numbers."""
        content: dict[str, Any] = records.to_builtins(self)
        return content


def compare(
    reference: ParityVectors, candidate: ParityVectors, floor: NumericsFloor | None = None
) -> ParityReport:
    """Compare two runs over the same puzzles.

    Args:
        reference: the float32 model's run.
        candidate: the run to judge.
        floor: what float arithmetic alone changes in ``reference``; None where it is not known.

    Raises:
        BundleError: the runs are not over the same puzzles and steps.
    """
    _require_same_puzzles(reference, candidate)
    beside_floor = None if floor is None else floor_report(floor, reference, candidate)
    return ParityReport(
        puzzles=len(reference),
        labelled=reference.labelled,
        fixed=_mode_parity(reference, candidate, "fixed"),
        adaptive=_mode_parity(reference, candidate, "adaptive"),
        halting=halting_parity(reference, candidate),
        carry=carry_parity(reference, candidate),
        puzzle_set=reference.puzzle_set,
        floor=beside_floor,
        coverage=coverage_of(reference, candidate),
    )


def _require_same_puzzles(reference: ParityVectors, candidate: ParityVectors) -> None:
    same_puzzles = (
        reference.predictions.shape == candidate.predictions.shape
        and np.array_equal(reference.tokens, candidate.tokens)
        and np.array_equal(reference.carry_positions, candidate.carry_positions)
    )
    if not same_puzzles:
        raise BundleError(
            "parity needs both runs over the same puzzles and steps, but they answer "
            f"{reference.predictions.shape} and {candidate.predictions.shape} (puzzles, steps, "
            "cells). Export the checkpoint again."
        )


def _mode_parity(
    reference: ParityVectors, candidate: ParityVectors, mode: HaltingMode
) -> ModeParity:
    reference_answers = reference.answers(adaptive=mode == "adaptive")
    candidate_answers = candidate.answers(adaptive=mode == "adaptive")
    right_answers = reference.right_answers(adaptive=mode == "adaptive")
    reference_right = (reference_answers == right_answers).all(1)
    candidate_right = (candidate_answers == right_answers).all(1)
    lost = int((reference_right & ~candidate_right).sum())
    gained = int((candidate_right & ~reference_right).sum())
    count = len(right_answers)
    low, high = paired_drop(lost, gained, count)
    return ModeParity(
        mode=mode,
        exact_reference=float(reference_right.mean()),
        exact_candidate=float(candidate_right.mean()),
        interval_reference=wilson_interval(int(reference_right.sum()), count),
        interval_candidate=wilson_interval(int(candidate_right.sum()), count),
        drop=100 * (lost - gained) / count,
        interval_drop=(100 * low, 100 * high),
        lost=lost,
        gained=gained,
        p_value=mcnemar_exact(lost, gained),
        cells_reference=float((reference_answers == right_answers).mean()),
        cells_candidate=float((candidate_answers == right_answers).mean()),
        same_answer=float((reference_answers == candidate_answers).all(1).mean()),
    )
