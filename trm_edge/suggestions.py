"""Suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str], *, count: int = 3) -> str:
    """Suggest the names that are most like a misspelt one, or that hold it.

    Args:
        name: as the user wrote it.
        names: all names there are.
        count: suggestions, at most.

    Returns:
        A sentence that begins with a space; empty where nothing is alike.

    >>> did_you_mean("solv", ["solve", "parity"]), did_you_mean("x", ["solve"])
    (' Did you mean solve?', '')
    """
    choices = sorted(names)
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, choices, n=count)
    if not close and len(wanted) > 1:
        close = [choice for choice in choices if wanted in choice][:count]
    if not close:
        return ""
    return f" Did you mean {' or '.join(close)}?"
