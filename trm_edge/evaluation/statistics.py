"""Statistics of proportions and paired flips, without scipy."""

from __future__ import annotations

from math import comb, sqrt

Z95 = 1.959964  # standard normal quantile of a two-sided 95 % interval
Z999 = 3.290527  # of a two-sided 99.9 % interval


def wilson_interval(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Compute Wilson's score interval of a proportion (Wilson, JASA 22, 1927).

    Args:
        successes: number of successes.
        trials: number of trials; with 0 the interval is (0, 1).
        z: standard normal quantile; 95 % by default.

    Returns:
        Lower and upper end, 0..1.

    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar_exact(lost: int, gained: int) -> float:
    """Compute the two-sided exact McNemar p-value of paired flips: binomial(lost + gained, 1/2).

    Args:
        lost: number of puzzles only the first run solves.
        gained: number of puzzles only the second run solves.

    >>> mcnemar_exact(5, 5)
    1.0
    >>> round(mcnemar_exact(0, 6), 5)
    0.03125
    """
    flips = lost + gained
    if flips == 0:
        return 1.0
    tail = sum(comb(flips, k) for k in range(min(lost, gained) + 1))
    return min(1.0, 2 * tail / (1 << flips))  # of whole numbers, which do not overflow


def paired_drop(lost: int, gained: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """Compute the interval of the share lost on balance, from paired flips.

    Half a flip of each kind is added (Agresti and Min, 2005), so that no flips among few puzzles
    prove little.

    Args:
        lost: number of puzzles only the first run solves.
        gained: number of puzzles only the second run solves.
        trials: number of puzzles.
        z: standard normal quantile; 95 % by default.

    Returns:
        Lower and upper end of (lost - gained) / trials, -1..1.

    >>> low, high = paired_drop(5, 5, 2000)
    >>> round(100 * low, 2), round(100 * high, 2)
    (-0.32, 0.32)
    """
    adjusted_lost = lost + 0.5
    adjusted_gained = gained + 0.5
    count = trials + 2.0
    balance = adjusted_lost - adjusted_gained
    middle = balance / count
    half = z * sqrt(adjusted_lost + adjusted_gained - balance**2 / count) / count
    return middle - half, middle + half
