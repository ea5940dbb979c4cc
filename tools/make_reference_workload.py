"""Write the MatMul that step times are compared with (trm_edge/regression).

python tools/make_reference_workload.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from trm_edge.files import write_bytes
from trm_edge.regression.reference_workload import COLUMNS, INNER, REFERENCE_WORKLOAD, ROWS

OUTPUT = Path(__file__).parents[1] / "trm_edge" / "regression" / REFERENCE_WORKLOAD


def reference_workload() -> onnx.ModelProto:
    """Build ``y = x @ w`` in float32; opset 17 runs on every supported ONNX Runtime."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "reference_workload",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, INNER]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [INNER, COLUMNS]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, COLUMNS])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    write_bytes(OUTPUT, reference_workload().SerializeToString())
