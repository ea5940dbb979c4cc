"""How many CPU threads a run may use.

Every thread takes a stack and a place in the process table, which containers often limit to about
a thousand. More threads than cores gain nothing in a matrix product, so the limit is far below
that, and high enough for a script that was written for a larger machine.
"""

from __future__ import annotations

import os
from numbers import Integral

from trm_edge.errors import ConfigError
from trm_edge.printable import excerpt

_THREADS_PER_CORE = 4
_ALWAYS_ALLOWED = 64  # on any machine, so that one command fits a laptop and a server


def available_cores() -> int:
    """Count the CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def largest_thread_count() -> int:
    """Return the most threads that a run may use here: 4 for each core, and at least 64."""
    return max(_ALWAYS_ALLOWED, _THREADS_PER_CORE * available_cores())


def thread_count(threads: int) -> int:
    """Check a number of CPU threads, and resolve 0.

    Args:
        threads: CPU threads; 0 for one per core.

    Returns:
        The number of threads, at least 1.

    Raises:
        ConfigError: it is no whole number, is negative, or is larger than
            :func:`largest_thread_count`.
    """
    largest = largest_thread_count()
    if not _is_whole(threads) or not 0 <= threads <= largest:
        cores = available_cores()
        raise ConfigError(
            f"threads must be a whole number from 0 to {largest}, but got {excerpt(threads, 40)}. "
            f"This process may use {cores} CPU cores; 0 is a thread for each of them."
        )
    return int(threads) or available_cores()


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number; numpy's count as such."""
    return isinstance(value, Integral) and not isinstance(value, bool)
