"""Decimals of printed figures: rounding must not hide on which side of a limit a figure lies."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose

_MOST = 6


def decimals_apart(figures: Iterable[float], limits: Iterable[float], fewest: int) -> int:
    """Count the decimals that keep figures and limits apart in print, where they differ.

    Args:
        figures: numbers that will be printed.
        limits: numbers that they are compared with.
        fewest: decimals that are printed anyway.

    >>> decimals_apart([0.502], [0.5], 2)
    3
    >>> decimals_apart([0.5], [0.5], 2)
    2
    """
    pairs = [(figure, limit) for figure in figures for limit in limits]
    decimals = fewest
    for figure, limit in pairs:
        while decimals < _MOST and _look_alike(figure, limit, decimals):
            decimals += 1
    return decimals


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Format a number; never a negative zero.

    Args:
        value: the number.
        decimals: digits behind the point.
        signed: print the plus sign, too.

    >>> number(-0.001, 2), number(1.25, 1, signed=True)
    ('0.00', '+1.2')
    """
    rounded = round(value, decimals) + 0.0
    return f"{rounded:+.{decimals}f}" if signed else f"{rounded:.{decimals}f}"


def _look_alike(figure: float, limit: float, decimals: int) -> bool:
    if isclose(figure, limit, rel_tol=1e-9, abs_tol=1e-9):
        return False
    return number(figure, decimals) == number(limit, decimals)
