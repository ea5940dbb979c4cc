"""What a number of puzzles can show, and how many would do."""

from __future__ import annotations

from math import ceil, inf, isfinite

from trm_edge.evaluation.statistics import Z95, paired_drop, wilson_interval

_FEW = 1000  # puzzles: below this, counts are rounded up to tens
_TOO_MANY = 1_000_000  # puzzles that nobody has


def smallest_bound(puzzles: int) -> float:
    """Compute the upper end of the drop's 95 % interval where no answer changed, in points.

    Args:
        puzzles: number of puzzles.

    >>> round(smallest_bound(64), 2)
    2.97
    """
    return 100 * paired_drop(0, 0, puzzles)[1]


def can_show_drop(puzzles: int, max_drop: float) -> bool:
    """Tell whether any outcome could show that no more than ``max_drop`` points are lost.

    Args:
        puzzles: number of puzzles.
        max_drop: in points of exact match.
    """
    return smallest_bound(puzzles) <= max_drop


def can_show_share(puzzles: int, min_share: float) -> bool:
    """Tell whether any outcome could show that a share is at least ``min_share``.

    Args:
        puzzles: number of puzzles.
        min_share: 0..1.
    """
    return wilson_interval(puzzles, puzzles)[0] >= min_share


def puzzles_for_drop(max_drop: float, flips: int = 0, puzzles: int = 1) -> float:
    """Count the puzzles whose 95 % interval of the drop is no wider than ``max_drop`` either way.

    Args:
        max_drop: in points of exact match.
        flips: number of puzzles, lost or gained, among the puzzles seen so far.
        puzzles: number of puzzles seen so far.

    Returns:
        The number; infinite for a drop of 0.
    """
    if max_drop <= 0:
        return inf
    drop = max_drop / 100
    without_flips = Z95 / drop - 2
    with_flips = Z95**2 * (flips / puzzles) / drop**2
    return max(without_flips, with_flips)


def puzzles_for_share(min_share: float) -> float:
    """Count the puzzles that can show, where all agree, that a share is at least ``min_share``.

    Args:
        min_share: 0..1.

    Returns:
        The number; infinite for 1.
    """
    if min_share >= 1:
        return inf
    return Z95**2 * min_share / (1 - min_share)


def puzzles_to_tell(puzzles: int, half_width: float, distance: float) -> float:
    """Count the puzzles whose interval would leave out a limit, if the figure stays.

    Args:
        puzzles: number of puzzles seen so far.
        half_width: from the figure to the end of its interval on the limit's side.
        distance: from the figure to the limit, in the same unit.

    Returns:
        The number; infinite where the distance is 0.
    """
    if distance == 0:
        return inf
    return puzzles * (half_width / distance) ** 2


def count_text(puzzles: float) -> str:
    """Say how many puzzles would do, rounded up.

    Args:
        puzzles: a number of puzzles, perhaps infinite.

    >>> count_text(389.99)
    'about 390 puzzles would do'
    >>> count_text(float("inf"))
    'no number of puzzles would do'
    """
    if not isfinite(puzzles) or puzzles > _TOO_MANY:
        return "no number of puzzles would do"
    unit = 10 if puzzles < _FEW else 100
    return f"about {unit * ceil(puzzles / unit):,} puzzles would do"
