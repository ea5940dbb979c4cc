"""Forms of the same INT8 graph: what ONNX Runtime's integer products are given."""

from __future__ import annotations

import copy

import numpy as np
import onnx
from onnx import numpy_helper

from trm_edge.graph_guard import integer_weights

_UNSIGNED = ".unsigned"  # after the name of a weight's zero points
_HALF = 128  # of the codes of 8 bits


def with_unsigned_weights(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Store the INT8 weights as UINT8 with a zero point of 128; every value stays the same.

    Args:
        graph: of the ``cpu`` target.
    """
    graph = copy.deepcopy(graph)
    names = set(integer_weights(graph.SerializeToString()))
    for tensor in graph.graph.initializer:
        if tensor.name in names:
            codes = numpy_helper.to_array(tensor).astype(np.int16) + _HALF
            tensor.CopyFrom(numpy_helper.from_array(codes.astype(np.uint8), tensor.name))
            zero = np.full(codes.shape[1], _HALF, np.uint8)
            graph.graph.initializer.append(
                numpy_helper.from_array(zero, f"{tensor.name}{_UNSIGNED}")
            )
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in names:
            node.input.append(f"{node.input[0]}{_UNSIGNED}")
    return graph


def with_seven_bits(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Round the INT8 weights to 7 bits; scales are doubled.

    Args:
        graph: of the ``cpu`` target.
    """
    graph = copy.deepcopy(graph)
    names = set(integer_weights(graph.SerializeToString()))
    scales = set()
    for node in graph.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in names:
            scales.add(node.input[1])
    for tensor in graph.graph.initializer:
        if tensor.name in names:
            codes = np.rint(numpy_helper.to_array(tensor) / 2).astype(np.int8)
            tensor.CopyFrom(numpy_helper.from_array(codes, tensor.name))
        elif tensor.name in scales:
            doubled = numpy_helper.to_array(tensor) * np.float32(2)
            tensor.CopyFrom(numpy_helper.from_array(doubled, tensor.name))
    return graph
