"""Q/DQ on the inputs of the network's matrix products, and nowhere else.

Activations get one symmetric scale a layer, weights one an output channel and are stored in 8 bits,
once. The residual stream, the norms and the heads stay as they are. Every product has a
DequantizeLinear of its own, since runtimes fuse the pair into an integer product only then.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.recipe import Precision8
from trm_edge.errors import CalibrationError

# Largest magnitude of the 8-bit types, symmetric.
_LARGEST: dict[Precision8, float] = {"int8": 127.0, "fp8": 448.0}
_ELEMENT: dict[Precision8, int] = {
    "int8": TensorProto.INT8,
    "fp8": TensorProto.FLOAT8E4M3FN,
}


def quantize_graph(
    graph: onnx.ModelProto,
    amax: Mapping[str, float],
    precision: Precision8,
    keep_float: Collection[str] = (),
) -> onnx.ModelProto:
    """A copy of a step graph with the layers named in ``amax`` in 8 bits.

    Args:
        graph: a float step graph whose matrices are initializers named by layer, (in, out).
        amax: largest magnitude of each layer's input.
        keep_float: layers to leave alone.

    Raises:
        CalibrationError: a layer is not in the graph or has a range that is no range.
    """
    model = copy.deepcopy(graph)
    inside = model.graph
    weights = {tensor.name: tensor for tensor in inside.initializer}
    layers = [name for name in amax if name not in set(keep_float)]
    unknown = [name for name in [*amax, *keep_float] if name not in weights]
    if unknown:
        raise CalibrationError(
            f"the step graph has no layer {', '.join(unknown)}; its matrices are "
            f"{', '.join(name for name in weights if name.startswith('layers.'))}."
        )
    new_constants: dict[str, TensorProto] = {}
    for layer in layers:
        if not (np.isfinite(amax[layer]) and amax[layer] > 0):
            raise CalibrationError(f"{layer} has the range {amax[layer]}, which gives no scale.")
        new_constants.update(_layer_constants(layer, weights[layer], amax[layer], precision))
    zero = _raw(_ZERO, np.zeros((), np.uint8), precision)
    nodes: list[onnx.NodeProto] = []
    quantized_inputs: dict[tuple[str, str], str] = {}
    for node in inside.node:
        layer = node.input[1] if node.op_type == "MatMul" else ""
        if layer in layers:
            nodes.extend(_quantize_product(node, layer, quantized_inputs))
        nodes.append(node)
    kept = [tensor for tensor in inside.initializer if tensor.name not in layers]
    del inside.node[:]
    inside.node.extend(nodes)
    del inside.initializer[:]
    inside.initializer.extend([*kept, *new_constants.values(), *([zero] if layers else [])])
    onnx.checker.check_model(model, full_check=True)
    return model


_ZERO = "zero"


def _quantize_product(
    node: onnx.NodeProto, layer: str, known: dict[tuple[str, str], str]
) -> list[onnx.NodeProto]:
    """Put Q/DQ on both inputs of a MatMul, in place; returns the nodes that come before it."""
    source = node.input[0]
    scale = f"{layer}.s_in"
    quantized = known.get((source, scale))
    nodes = []
    if quantized is None:
        quantized = known[(source, scale)] = f"{node.name}.q"
        nodes.append(
            helper.make_node("QuantizeLinear", [source, scale, _ZERO], [quantized], name=quantized)
        )
    nodes.append(
        helper.make_node(
            "DequantizeLinear",
            [quantized, scale, _ZERO],
            [f"{node.name}.dq"],
            name=f"{node.name}.dq",
        )
    )
    nodes.append(
        helper.make_node(
            "DequantizeLinear",
            [layer, f"{layer}.s"],
            [f"{node.name}.w"],
            name=f"{node.name}.w",
            axis=1,
        )
    )
    node.input[0], node.input[1] = f"{node.name}.dq", f"{node.name}.w"
    return nodes


def _layer_constants(
    layer: str, weight: TensorProto, amax: float, precision: Precision8
) -> dict[str, TensorProto]:
    values = numpy_helper.to_array(weight)
    largest = _LARGEST[precision]
    column_max = np.abs(values).max(axis=0).astype(np.float32)  # (out,)
    # A column of zeros stays zero under any scale.
    scales = np.where(column_max > 0, column_max, 1.0).astype(np.float32) / np.float32(largest)
    scales = scales.astype(values.dtype)
    codes = encode(values.astype(np.float32) / scales.astype(np.float32), precision)
    activation = np.asarray(amax / largest).astype(values.dtype)
    return {
        layer: _raw(layer, codes, precision),
        f"{layer}.s": numpy_helper.from_array(scales, f"{layer}.s"),
        f"{layer}.s_in": numpy_helper.from_array(activation, f"{layer}.s_in"),
    }


def encode(scaled: NDArray[np.float32], precision: Precision8) -> NDArray[np.uint8]:
    """Round to the 8-bit type, saturating; the bytes as uint8."""
    largest = _LARGEST[precision]
    clipped = np.clip(scaled, -largest, largest)
    if precision == "int8":
        return np.rint(clipped).astype(np.int8).view(np.uint8)
    return clipped.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)


def _raw(name: str, codes: NDArray[Any], precision: Precision8) -> TensorProto:
    return helper.make_tensor(
        name, _ELEMENT[precision], codes.shape, np.asarray(codes, order="C").tobytes(), raw=True
    )
