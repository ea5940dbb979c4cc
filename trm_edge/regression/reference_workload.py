"""Reference workload: work that no change of a bundle can slow down, timed beside its steps."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

# One float32 MatMul (ROWS, INNER) @ (INNER, COLUMNS), written by tools/make_reference_workload.py.
REFERENCE_WORKLOAD = "reference_workload.onnx"
ROWS = 128
INNER = 512
COLUMNS = 1024


def matmul(threads: int) -> Callable[[], Any]:
    """Load the reference workload: a matrix product of 0.13 G operations in ONNX Runtime.

    Args:
        threads: CPU threads that a call uses.

    Returns:
        A function that computes the product once.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    graph = resources.files("trm_edge.regression").joinpath(REFERENCE_WORKLOAD).read_bytes()
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.standard_normal((ROWS, INNER), dtype=np.float32),
        "w": rng.standard_normal((INNER, COLUMNS), dtype=np.float32),
    }
    return lambda: session.run(None, feeds)
