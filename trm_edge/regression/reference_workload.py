"""What a step's time is held against: work that a change of the bundle cannot make slower."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

REFERENCE_WORKLOAD = (
    "reference_workload.onnx"  # one float32 MatMul, by tools/make_reference_workload.py
)
ROWS, INNER, COLUMNS = 128, 512, 1024


def matmul(threads: int) -> Callable[[], Any]:
    """A fixed product in ONNX Runtime, 0.13 G operations."""
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
