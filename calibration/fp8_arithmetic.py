"""E4M3 rounding in float32 arithmetic, with the same bits as QuantizeLinear and DequantizeLinear.

ONNX Runtime has no fast E4M3 kernels on a CPU: converting one value at a time costs more than the
matrix product that follows. Additions and multiplications are vectorised, and round a value just as
well: adding and subtracting 1.5 * 2^23 units leaves it at a multiple of the unit, ties to even. The
unit is 2^-3 of the value's power of two, and 2^-9 below 2^-6, where E4M3 is subnormal.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.grid import LARGEST

_MAGIC = 1.5 * 2.0**20  # times a power of two: 1.5 * 2^23 units of an eighth of it
_SPLIT = 2.0**23 + 1  # Veltkamp's constant that leaves one significant bit
_CONSTANTS = {
    "e4m3.lowest": -LARGEST["fp8"],
    "e4m3.largest": LARGEST["fp8"],
    "e4m3.three_quarters": 0.75,
    "e4m3.split": _SPLIT,
    "e4m3.smallest_normal": 2.0**-6,
    "e4m3.magic": _MAGIC,
}


def fp8_in_float32(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Rewrite an FP8 step graph to compute the same numbers faster on a CPU.

    Weights stay stored in E4M3, each dequantized once.

    Args:
        graph: of :func:`~trm_edge.calibration.qdq.quantize_graph`, with everything else in float32;
            it is not changed.

    Returns:
        The rewritten copy; the graph itself if it has no FP8.
    """
    types = {tensor.data_type for tensor in graph.graph.initializer}
    if TensorProto.FLOAT8E4M3FN not in types:
        return graph
    model = copy.deepcopy(graph)
    nodes = _rewritten(model.graph.node)
    used = set()
    for node in nodes:
        used.update(node.input)
    constants = [tensor for tensor in model.graph.initializer if tensor.name in used]
    for name, value in _CONSTANTS.items():
        constants.append(numpy_helper.from_array(np.float32(value), name))
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(constants)
    onnx.checker.check_model(model, full_check=True)
    return model


def _rewritten(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    rewritten: list[onnx.NodeProto] = []
    renamed: dict[str, str] = {}
    quantized: dict[str, onnx.NodeProto] = {}
    dequantized: set[str] = set()
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
        if node.op_type == "QuantizeLinear":
            quantized[node.output[0]] = node
        elif node.op_type == "DequantizeLinear" and node.input[0] in quantized:
            rewritten += _rounding(quantized[node.input[0]], node.output[0])
        elif node.op_type == "DequantizeLinear":
            # INT8 products are fused with a DequantizeLinear of their own; here one is enough.
            shared = f"{node.input[0]}.float32"
            renamed[node.output[0]] = shared
            if shared not in dequantized:
                dequantized.add(shared)
                node.output[0] = shared
                rewritten.append(node)
        else:
            rewritten.append(node)
    return rewritten


def _rounding(quantize: onnx.NodeProto, output: str) -> list[onnx.NodeProto]:
    """The nodes that take the place of a Q/DQ pair."""
    source = quantize.input[0]
    scale = quantize.input[1]
    prefix = f"{output}."
    steps = [
        ("Div", source, scale, f"{prefix}scaled"),
        ("Max", f"{prefix}scaled", "e4m3.lowest", f"{prefix}above"),
        ("Min", f"{prefix}above", "e4m3.largest", f"{prefix}v"),
        # One significant bit of 0.75 v remains: v's power of two, whatever its mantissa.
        ("Mul", f"{prefix}v", "e4m3.three_quarters", f"{prefix}p"),
        ("Mul", f"{prefix}p", "e4m3.split", f"{prefix}t"),
        ("Sub", f"{prefix}t", f"{prefix}p", f"{prefix}u"),
        ("Sub", f"{prefix}t", f"{prefix}u", f"{prefix}power"),
        ("Abs", f"{prefix}power", "", f"{prefix}size"),
        ("Max", f"{prefix}size", "e4m3.smallest_normal", f"{prefix}normal"),
        ("Mul", f"{prefix}normal", "e4m3.magic", f"{prefix}magic"),
        ("Add", f"{prefix}v", f"{prefix}magic", f"{prefix}moved"),
        ("Sub", f"{prefix}moved", f"{prefix}magic", f"{prefix}rounded"),
        ("Mul", f"{prefix}rounded", scale, output),
    ]
    nodes = []
    for op, left, right, result in steps:
        inputs = [left]
        if right:
            inputs.append(right)
        nodes.append(helper.make_node(op, inputs, [result], name=result))
    return nodes
