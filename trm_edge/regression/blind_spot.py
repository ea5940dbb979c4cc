"""Drops of exact match that a number of puzzles can show."""

from __future__ import annotations

from math import ceil, inf

from trm_edge.evaluation.resolution import smallest_bound
from trm_edge.evaluation.statistics import paired_drop


def smallest_loss(puzzles: int) -> int:
    """Count the lost puzzles, with none gained, that differ from chance.

    Args:
        puzzles: number of held-out puzzles.

    Returns:
        The smallest count whose 95 % interval excludes "no change"; ``puzzles + 1`` if none does.

    >>> smallest_loss(64)
    5
    """
    for lost in range(1, puzzles + 1):
        low, _ = paired_drop(lost, 0, puzzles)
        if low > 0:
            return lost
    return puzzles + 1


def puzzles_for(max_drop: float) -> float:
    """Count the puzzles of which a drop beyond a budget can be shown.

    Args:
        max_drop: the budget, in points of exact match.

    Returns:
        The number, rounded up to hundreds; infinite for a budget of 0.
    """
    if max_drop <= 0:
        return inf
    count = 100.0
    for _ in range(3):  # the loss that counts hardly depends on the number of puzzles
        count = 100.0 * ceil(smallest_loss(int(count)) / max_drop)
    return count


def blind_spot(puzzles: int, max_drop: float) -> str | None:
    """Say what drop too few puzzles cannot show.

    Args:
        puzzles: number of held-out puzzles.
        max_drop: the budget, in points of exact match.

    Returns:
        Two sentences, or None where the puzzles are enough.

    >>> blind_spot(1000, 0.5)
    """
    loss = smallest_loss(puzzles)
    if loss <= puzzles and 100 * loss / puzzles <= max_drop:
        return None
    unchanged = smallest_bound(puzzles)
    visible = "no drop at all counts as a regression"
    if loss <= puzzles:
        visible = f"a drop under {100 * loss / puzzles:.1f} points ({loss} puzzles) stays unseen"
    text = (
        f"{puzzles:,} held-out puzzles cannot show a drop of {max_drop:g} points: the interval of "
        f"an unchanged bundle is +-{unchanged:.1f} points, and {visible}."
    )
    needed = puzzles_for(max_drop)
    if needed == inf:
        return text
    return f"{text} {needed:,.0f} puzzles would do."
