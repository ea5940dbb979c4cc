"""Division of slots into shares, each for one CPU thread."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from trm_edge.config import ModelConfig

# Elements of a carry that one thread works on at once. The activations of a small share stay in a
# core's cache; a large graph streams its weights through the cache, so each share should be larger.
_SHARE = 50_000
_SHARE_OF_LARGE_GRAPH = 200_000
_LARGE_GRAPH = 16_000_000  # bytes


def share_elements(graph_bytes: int) -> int:
    """Choose how many elements of a carry one thread should work on at once.

    Args:
        graph_bytes: size of the step graph's file in bytes.
    """
    if graph_bytes > _LARGE_GRAPH:
        return _SHARE_OF_LARGE_GRAPH
    return _SHARE


def shares(slots: int, threads: int, config: ModelConfig, elements: int) -> list[slice]:
    """Divide slots into equal shares, a multiple of the threads where there are enough slots.

    Args:
        slots: number of slots.
        threads: number of threads that work on shares at once.
        config: gives the size of a slot's carry.
        elements: elements of a carry that a share should have, about.

    Returns:
        The shares in order, as slices of the slots.
    """
    largest = max(1, round(elements / (config.carry_len * config.hidden_size)))
    rounds = -(-slots // (threads * largest))
    count = min(slots, rounds * threads)
    bounds = np.linspace(0, slots, count + 1).round().astype(int)
    return [slice(low, high) for low, high in pairwise(bounds)]
