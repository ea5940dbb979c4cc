"""A bundle's step as something that can be called and timed, and its float32 twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import CPU_PROVIDER, OnnxRuntimeBackend
from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors


def on_cpu(backend: Backend) -> bool:
    """Whether the calling thread does the work, so that its own CPU time says what it costs."""
    return isinstance(backend, OnnxRuntimeBackend) and backend.provider == CPU_PROVIDER


def float32_backend(bundle: Bundle, threads: int = 0) -> OnnxRuntimeBackend | None:
    """The same checkpoint's float32 graph on a CPU, None where the bundle was made without."""
    path = bundle.manifest.float32
    if path is None:
        return None
    return OnnxRuntimeBackend(bundle.path / path, bundle.config, threads=threads)


def repeated_step(
    backend: Backend, table: NDArray[np.float32] | None, vectors: ParityVectors, slots: int
) -> Callable[[], Any]:
    """One more ACT step of ``slots`` slots at every call; the backend is active already."""
    rows = np.arange(slots) % len(vectors)
    tokens = vectors.tokens[rows].astype(np.int32)
    given = None if table is None else np.asarray(table[vectors.identifiers[rows]], np.float32)
    reset = np.ones(slots, np.bool_)
    backend.start(slots)
    backend.step(tokens, given, reset)
    reset = np.zeros(slots, np.bool_)
    return lambda: backend.step(tokens, given, reset)
