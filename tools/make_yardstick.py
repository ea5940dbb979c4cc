"""Writes trm_edge/regression/yardstick.onnx: the product that a step's time is held against.

python tools/make_yardstick.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from trm_edge.files import write_bytes
from trm_edge.regression.yardstick import COLUMNS, INNER, ROWS, YARDSTICK

OUTPUT = Path(__file__).parents[1] / "trm_edge" / "regression" / YARDSTICK


def yardstick() -> onnx.ModelProto:
    """``y = x @ w``, float32, both given: opset 17, which every ONNX Runtime here reads."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "yardstick",
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
    write_bytes(OUTPUT, yardstick().SerializeToString())
