"""What a comparison on the same puzzles needs, without scipy."""

from __future__ import annotations

from math import comb, sqrt


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a proportion, 95 % by default (JASA 22, 1927).

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
    """Two-sided exact McNemar p-value of paired flips: binomial(lost + gained, 1/2).

    >>> mcnemar_exact(5, 5)
    1.0
    >>> round(mcnemar_exact(0, 6), 5)
    0.03125
    """
    flips = lost + gained
    if flips == 0:
        return 1.0
    tail = sum(comb(flips, k) for k in range(min(lost, gained) + 1))
    return min(1.0, 2.0 * tail / float(2**flips))


def paired_drop(lost: int, gained: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval of the share that is lost on balance, by paired flips (Agresti and Min, 2005).

    Half a flip of either kind is added, so that no flips among few puzzles prove little.

    >>> low, high = paired_drop(5, 5, 2000)
    >>> round(100 * low, 2), round(100 * high, 2)
    (-0.32, 0.32)
    """
    one, other, n = lost + 0.5, gained + 0.5, trials + 2.0
    middle = (one - other) / n
    half = z * sqrt(one + other - (one - other) ** 2 / n) / n
    return middle - half, middle + half
