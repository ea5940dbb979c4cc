"""Write the tiny graph that shows whether a machine's INT8 kernels saturate.

    python tools/make_int8_probe.py

One product of UINT8 inputs by INT8 weights at their largest magnitudes; what its result says is in
``trm_edge/backends/integer_kernels.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trm_edge.backends.integer_kernels import INPUT, OUTPUT, PROBE, WEIGHTS


def probe_graph() -> onnx.ModelProto:
    """Build the graph: ``MatMulInteger`` of ``inputs`` (M, K) uint8 by constant weights."""
    outputs, depth = WEIGHTS.shape
    node = helper.make_node("MatMulInteger", [INPUT, "weights"], [OUTPUT])
    graph = helper.make_graph(
        [node],
        "int8_probe",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["M", depth])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.INT32, ["M", outputs])],
        [numpy_helper.from_array(np.ascontiguousarray(WEIGHTS.T), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    Path(PROBE).write_bytes(probe_graph().SerializeToString())
