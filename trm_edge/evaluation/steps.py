"""A bundle's step as a callable to be timed, and the float32 step that it is timed beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.backends.onnxruntime_session import CPU_PROVIDER
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.puzzle_table import PuzzleTable


def on_cpu(backend: Backend) -> bool:
    """Tell whether the calling thread does the work, so that its CPU time is the cost of a step.

    Args:
        backend: any backend.
    """
    return isinstance(backend, OnnxRuntimeBackend) and backend.provider == CPU_PROVIDER


def float32_backend(bundle: Bundle, threads: int = 0) -> OnnxRuntimeBackend | None:
    """Create a CPU backend of the same checkpoint's float32 graph.

    Args:
        bundle: the bundle.
        threads: CPU threads; 0: every core.

    Returns:
        The backend, not yet loaded; None where the bundle was exported without that graph.
    """
    path = bundle.manifest.float32
    if path is None:
        return None
    return OnnxRuntimeBackend(bundle.path / path, bundle.config, threads=threads)


def repeated_step(
    backend: Backend, table: PuzzleTable | None, vectors: ParityVectors, slots: int
) -> Callable[[], Any]:
    """Start the backend on held-out puzzles and return a call that runs one more ACT step.

    Args:
        backend: an active backend.
        table: puzzle embeddings (N, E); None where the model has none.
        vectors: puzzles to fill the slots with, repeated where there are fewer than slots.
        slots: number of slots.

    Returns:
        A callable; each call runs one step of all slots.
    """
    indices = np.arange(slots) % len(vectors)
    tokens = vectors.tokens[indices].astype(np.int32)
    embeddings: NDArray[np.float32] | None = None
    if table is not None:
        embeddings = np.asarray(table[vectors.identifiers[indices]], np.float32)
    backend.start(slots)
    backend.step(tokens, embeddings, np.ones(slots, np.bool_))
    keep_carries = np.zeros(slots, np.bool_)

    def step() -> Any:
        return backend.step(tokens, embeddings, keep_carries)

    return step
