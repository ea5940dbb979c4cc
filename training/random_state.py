"""The state of NumPy's random numbers as plain values, which weights-only loading reads."""

from __future__ import annotations

from typing import Any

_LARGEST_BITS = 62  # of an integer that is stored as one


def as_plain(state: Any) -> Any:
    """Turn integers of 128 bits into text.

    Args:
        state: of a bit generator, or a part of it.
    """
    if isinstance(state, dict):
        return {key: as_plain(value) for key, value in state.items()}
    if isinstance(state, int) and state.bit_length() > _LARGEST_BITS:
        return str(state)
    return state


def from_plain(state: Any) -> Any:
    """Turn the text back.

    Args:
        state: as :func:`as_plain` returned it.
    """
    if isinstance(state, dict):
        return {key: from_plain(value) for key, value in state.items()}
    if isinstance(state, str) and state.isdigit():
        return int(state)
    return state
