"""Verdicts on a bundle's limits: each is judged with its 95 % interval and against the floor.

A limit is broken only where the whole interval lies beyond it, and beyond what float arithmetic
alone does to the same model. It holds where the figure is within the limit and the puzzles are
enough to show that. Otherwise there is no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trm_edge.evaluation.decimals import decimals_apart, number
from trm_edge.evaluation.resolution import (
    can_show_drop,
    can_show_share,
    count_text,
    puzzles_for_drop,
    puzzles_for_share,
    puzzles_to_tell,
)
from trm_edge.evaluation.statistics import paired_drop, wilson_interval

LimitVerdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class JudgedLimit:
    """A figure, its limit and the verdict.

    Args:
        id: stable identifier: ``exact_match.fixed``, ``exact_match.adaptive`` or
            ``halting.agreement``.
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        value: points of exact match lost, or the share of puzzles, 0..1, that stop at the same
            step.
        interval: 95 % interval of ``value``.
        limit: the bundle's limit, in the same unit.
        floor: what float arithmetic alone loses for sure, or may fall to, in the same unit, where
            it does not keep the limit itself; it is judged instead of the limit. None elsewhere.
        message: the figures and the verdict's reason, for people.
    """

    id: str
    verdict: LimitVerdict
    value: float
    interval: tuple[float, float]
    limit: float
    floor: float | None
    message: str


def judge_drop(
    mode: str, lost: int, gained: int, puzzles: int, max_drop: float, floor: float | None = None
) -> JudgedLimit:
    """Judge the exact match lost in a halting mode.

    Args:
        mode: ``fixed`` or ``adaptive``.
        lost: number of puzzles only float32 solves.
        gained: number of puzzles only the target solves.
        puzzles: number of puzzles.
        max_drop: the limit, in points of exact match.
        floor: points that float arithmetic alone loses for sure; None where it keeps the limit.
    """
    drop = 100 * (lost - gained) / puzzles
    low, high = (100 * end for end in paired_drop(lost, gained, puzzles))
    limit = max_drop if floor is None else max(max_drop, floor)
    verdict: LimitVerdict = "pass"
    reason = ""
    if low > limit:
        verdict = "fail"
    elif drop > limit:
        verdict = "inconclusive"
        needed = puzzles_for_drop(limit, lost + gained, puzzles)
        if limit <= 0:
            needed = puzzles_to_tell(puzzles, drop - low, drop)
        reason = f": {puzzles:,} puzzles cannot tell it from the limit, {count_text(needed)}"
    elif not can_show_drop(puzzles, limit):
        verdict = "inconclusive"
        needed = puzzles_for_drop(limit, lost + gained, puzzles)
        reason = f": {puzzles:,} puzzles cannot show that little, {count_text(needed)}"
    decimals = decimals_apart((drop, low), (limit,), 2)
    ends = f"{number(low, decimals, signed=True)} to {number(high, decimals, signed=True)}"
    message = (
        f"{mode}: {number(drop, decimals)} points of exact match lost (95 % {ends}), limit "
        f"{number(max_drop, decimals)}{_beside(max_drop, limit, floor, 1)}{reason}"
    )
    return JudgedLimit(
        id=f"exact_match.{mode}",
        verdict=verdict,
        value=drop,
        interval=(low, high),
        limit=max_drop,
        floor=floor,
        message=message,
    )


def judge_agreement(
    same: int, puzzles: int, min_share: float, floor: float | None = None
) -> JudgedLimit:
    """Judge the share of puzzles that stop at the same step.

    Args:
        same: number of puzzles that do.
        puzzles: number of puzzles.
        min_share: the limit, 0..1.
        floor: share that float arithmetic alone may fall to; None where it keeps the limit.
    """
    share = same / puzzles
    low, high = wilson_interval(same, puzzles)
    limit = min_share if floor is None else min(min_share, floor)
    verdict: LimitVerdict = "pass"
    reason = ""
    if high < limit:
        verdict = "fail"
    elif share < limit:
        verdict = "inconclusive"
        needed = puzzles_to_tell(puzzles, high - share, limit - share)
        reason = f": {puzzles:,} puzzles cannot tell it from the limit, {count_text(needed)}"
    elif not can_show_share(puzzles, limit):
        verdict = "inconclusive"
        needed = puzzles_for_share(limit)
        reason = f": {puzzles:,} puzzles cannot show that many, {count_text(needed)}"
    decimals = decimals_apart((100 * share, 100 * high), (100 * limit,), 1)
    ends = f"{number(100 * low, decimals)} to {number(100 * high, decimals)}"
    message = (
        f"{number(100 * share, decimals)} % of the puzzles stop at the same step (95 % {ends}), "
        f"limit {number(100 * min_share, decimals)} %{_beside(min_share, limit, floor, 100)}"
        f"{reason}"
    )
    return JudgedLimit(
        id="halting.agreement",
        verdict=verdict,
        value=share,
        interval=(low, high),
        limit=min_share,
        floor=floor,
        message=message,
    )


def _beside(limit: float, judged: float, floor: float | None, scale: float) -> str:
    """Name the floor where it takes the limit's place."""
    if floor is None or limit == judged:
        return ""
    return f", floor of float arithmetic {scale * floor:.2f}"
