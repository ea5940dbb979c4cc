"""E4M3 rounding in float32 arithmetic, bit for bit what QuantizeLinear and DequantizeLinear give.

ONNX Runtime has no fast E4M3 kernels on a CPU: converting one value after the other costs more
than the matrix product behind it. Additions and multiplications are vectorised, and round a value
just as well: adding and subtracting 1.5 * 2^23 units leaves it at a multiple of the unit, ties to
even. The unit is 2^-3 of the value's power of two, and 2^-9 below 2^-6, where E4M3 is subnormal.
"""

from __future__ import annotations

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.grid import LARGEST

_MAGIC = 1.5 * 2.0**20  # times a power of two: 1.5 * 2^23 units of its eighth
_SPLIT = 2.0**23 + 1  # Veltkamp: what is left has one significant bit
_CONSTANTS = {
    "e4m3.lowest": -LARGEST["fp8"],
    "e4m3.largest": LARGEST["fp8"],
    "e4m3.three_quarters": 0.75,
    "e4m3.split": _SPLIT,
    "e4m3.smallest_normal": 2.0**-6,
    "e4m3.magic": _MAGIC,
}


def fp8_in_float32(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of an FP8 step graph that computes the same numbers faster on a CPU.

    Weights stay stored in E4M3, each dequantized once; graphs without FP8 come back as they are.

    Args:
        graph: of :func:`~trm_edge.calibration.qdq.quantize_graph`, everything else in float32.
    """
    kinds = {tensor.name: tensor.data_type for tensor in graph.graph.initializer}
    if TensorProto.FLOAT8E4M3FN not in kinds.values():
        return graph
    model = copy.deepcopy(graph)
    inside = model.graph
    nodes: list[onnx.NodeProto] = []
    renamed: dict[str, str] = {}
    quantized: dict[str, onnx.NodeProto] = {}
    for node in inside.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        first = node.input[0] if node.input else ""
        if node.op_type == "QuantizeLinear":
            quantized[node.output[0]] = node
        elif node.op_type == "DequantizeLinear" and first in quantized:
            nodes += _rounded(quantized[first], node.output[0])
        elif node.op_type == "DequantizeLinear":
            # INT8 products are fused with a DequantizeLinear of their own; here one is enough.
            shared = f"{first}.float32"
            renamed[node.output[0]] = shared
            if not any(shared in done.output for done in nodes):
                node.output[0] = shared
                nodes.append(node)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in inside.initializer if tensor.name in used]
    del inside.node[:], inside.initializer[:]
    inside.node.extend(nodes)
    inside.initializer.extend(kept)
    inside.initializer.extend(
        numpy_helper.from_array(np.float32(value), name) for name, value in _CONSTANTS.items()
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _rounded(quantize: onnx.NodeProto, output: str) -> list[onnx.NodeProto]:
    """The nodes that take the place of a pair."""
    source, scale = quantize.input[0], quantize.input[1]
    at = f"{output}."
    steps = [
        ("Div", source, scale, f"{at}scaled"),
        ("Max", f"{at}scaled", "e4m3.lowest", f"{at}above"),
        ("Min", f"{at}above", "e4m3.largest", f"{at}v"),
        # Of 0.75 v one significant bit is left: v's power of two, whatever its mantissa.
        ("Mul", f"{at}v", "e4m3.three_quarters", f"{at}p"),
        ("Mul", f"{at}p", "e4m3.split", f"{at}t"),
        ("Sub", f"{at}t", f"{at}p", f"{at}u"),
        ("Sub", f"{at}t", f"{at}u", f"{at}power"),
        ("Abs", f"{at}power", "", f"{at}size"),
        ("Max", f"{at}size", "e4m3.smallest_normal", f"{at}normal"),
        ("Mul", f"{at}normal", "e4m3.magic", f"{at}magic"),
        ("Add", f"{at}v", f"{at}magic", f"{at}moved"),
        ("Sub", f"{at}moved", f"{at}magic", f"{at}rounded"),
        ("Mul", f"{at}rounded", scale, output),
    ]
    return [
        helper.make_node(op, [left, right] if right else [left], [result], name=result)
        for op, left, right, result in steps
    ]
