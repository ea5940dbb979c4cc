"""A run beside the numerics floor: both compared with float32 on the same puzzles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
        ConfigError: there are no changes.
    """

    puzzles: int
    batch: int
    changes: Mapping[str, FlipCounts]
    candidate: FlipCounts

    def __post_init__(self) -> None:
        if not self.changes:
            raise ConfigError("the floor must have a change of float arithmetic, but has none")

    @property
    def same_step(self) -> float:
        """Share of equal halting steps that float arithmetic alone may fall to, 0..1.

        It is the lower end of the 95 % interval, of the change where it is lower.
        """
        return min(counts.interval_same_step[0] for counts in self.changes.values())

    def drop(self, mode: HaltingMode) -> float:
        """Compute the points of exact match that float arithmetic alone loses for sure.

        It is the lower end of the drop's 95 % interval, of the change where it is higher; flips
        that go both ways make it 0.

        Args:
            mode: ``fixed`` or ``adaptive``.
        """
        lows = [0.0]
        for counts in self.changes.values():
            lost, gained = counts.flips(mode)
            lows.append(100 * paired_drop(lost, gained, self.puzzles)[0])
        return max(lows)

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
    changes = {}
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
