"""A run beside the numerics floor: both compared with float32 on the same puzzles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from trm_edge.errors import ConfigError
from trm_edge.evaluation.floor import NumericsFloor, differing_puzzles
from trm_edge.evaluation.statistics import paired_drop, wilson_interval
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.halting import HaltingMode

WORDS = {"other_batch": "float32, {batch} slots", "bfloat16_carry": "float32, bfloat16 carries"}


@dataclass(frozen=True)
class FlipCounts:
    """Differences of a run from the float32 answers.

    Args:
        lost_fixed: number of puzzles only float32 solves, after the last step.
        gained_fixed: number of puzzles only the run solves, after the last step.
        lost_adaptive: as ``lost_fixed``, at the halting step.
        gained_adaptive: as ``gained_fixed``, at the halting step.
        same_step: share of puzzles that halt at the same step, 0..1.
        interval_same_step: 95 % Wilson interval of ``same_step``.
    """

    lost_fixed: int
    gained_fixed: int
    lost_adaptive: int
    gained_adaptive: int
    same_step: float
    interval_same_step: tuple[float, float]

    def flips(self, mode: HaltingMode) -> tuple[int, int]:
        """Return the puzzles lost and gained in a halting mode.

        Args:
            mode: ``fixed`` or ``adaptive``.
        """
        if mode == "fixed":
            return self.lost_fixed, self.gained_fixed
        return self.lost_adaptive, self.gained_adaptive


@dataclass(frozen=True)
class FloorReport:
    """What float arithmetic alone changes, and what the run changes on the same puzzles.

    Args:
        puzzles: number of puzzles, the first of those that the run was compared on.
        batch: slots of the float32 run with another number of slots.
        changes: float32 runs by the change of their arithmetic, ``other_batch`` and
            ``bfloat16_carry``.
        candidate: the run itself.

    Raises:
        ConfigError: there are no changes, or a count or a share is out of range.
    """

    puzzles: int
    batch: int
    changes: Mapping[str, FlipCounts]
    candidate: FlipCounts

    def __post_init__(self) -> None:
        if not self.changes:
            raise ConfigError("the floor must have a change of float arithmetic, but has none")
        for counts in (*self.changes.values(), self.candidate):
            for mode in get_args(HaltingMode):
                lost, gained = counts.flips(mode)
                if min(lost, gained) < 0 or lost + gained > self.puzzles:
                    raise ConfigError(
                        f"flips must be of {self.puzzles} puzzles, but are {lost} and {gained}"
                    )
            if not 0 <= counts.same_step <= 1:
                raise ConfigError(f"same_step must lie in 0..1, but is {counts.same_step}")

    def same_step_below(self, min_share: float) -> float | None:
        """Find the share of equal halting steps that float arithmetic alone may fall to.

        Args:
            min_share: a limit, 0..1.

        Returns:
            The lower end of the 95 % interval, of the change where it is lowest; None where float
            arithmetic alone keeps the limit.
        """
        ends = []
        for counts in self.changes.values():
            if counts.same_step < min_share:
                ends.append(counts.interval_same_step[0])
        return min(ends, default=None)

    def drop_beyond(self, mode: HaltingMode, max_drop: float) -> float | None:
        """Find the points of exact match that float arithmetic alone loses for sure.

        Flips that go both ways are noise, which widens the interval of every run; they are no loss.

        Args:
            mode: ``fixed`` or ``adaptive``.
            max_drop: a limit, in points.

        Returns:
            The lower end of the drop's 95 % interval, of the change where it is highest; None where
            float arithmetic alone keeps the limit.
        """
        ends = []
        for counts in self.changes.values():
            lost, gained = counts.flips(mode)
            low = 100 * paired_drop(lost, gained, self.puzzles)[0]
            if low > max_drop:
                ends.append(low)
        return max(ends, default=None)

    @property
    def rows(self) -> dict[str, FlipCounts]:
        """Every run by its name for people, the float32 runs first."""
        rows = {}
        for name, counts in self.changes.items():
            rows[WORDS.get(name, name).format(batch=self.batch)] = counts
        rows["this target"] = self.candidate
        return rows


def floor_report(
    floor: NumericsFloor, reference: ParityVectors, candidate: ParityVectors
) -> FloorReport:
    """Count on the puzzles that the floor and the run share.

    Args:
        floor: recorded in the bundle.
        reference: the float32 model's run, over the bundle's first held-out puzzles.
        candidate: the run to stand beside the floor, over the same puzzles.
    """
    puzzles = min(floor.puzzles, len(reference))
    changes: dict[str, FlipCounts] = {}
    for change in floor.changes:
        changes[change.change] = _counts(change.puzzle_lists, puzzles)
    lists = tuple(differing_puzzles(reference.first(puzzles), candidate.first(puzzles)).values())
    return FloorReport(puzzles, floor.batch, changes, _counts(lists, puzzles))


def _counts(puzzle_lists: Sequence[Sequence[int]], puzzles: int) -> FlipCounts:
    """Count the entries below ``puzzles`` of lists in the order of ``puzzle_lists``."""
    counts = []
    for indices in puzzle_lists:
        counts.append(sum(index < puzzles for index in indices))
    lost_fixed, gained_fixed, lost_adaptive, gained_adaptive, other_step = counts
    same_step = puzzles - other_step
    return FlipCounts(
        lost_fixed=lost_fixed,
        gained_fixed=gained_fixed,
        lost_adaptive=lost_adaptive,
        gained_adaptive=gained_adaptive,
        same_step=same_step / puzzles,
        interval_same_step=wilson_interval(same_step, puzzles),
    )
