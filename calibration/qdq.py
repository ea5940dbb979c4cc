"""Q/DQ on the inputs of the network's matrix products, and nowhere else.

Weights get one scale an output channel and are stored in 8 bits, once. Activations get one
symmetric scale a layer; where a layer is quantized per token, each row is divided by its own
largest magnitude first and the product multiplied by it, so that the same static Q/DQ gives every
row the whole range. The residual stream, the norms and the heads stay as they are. Every product
has a DequantizeLinear of its own, since runtimes fuse the pair into an integer product only then.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.calibrate import LayerQuantization
from trm_edge.calibration.grid import LARGEST, TINY
from trm_edge.calibration.recipe import Precision8
from trm_edge.errors import CalibrationError

_ELEMENT: dict[Precision8, int] = {
    "int8": TensorProto.INT8,
    "fp8": TensorProto.FLOAT8E4M3FN,
}
_ZERO, _TINY, _LAST = "zero", "tiny", "last_axis"


def quantize_graph(
    graph: onnx.ModelProto, layers: Mapping[str, LayerQuantization], precision: Precision8
) -> onnx.ModelProto:
    """A copy of a float32 step graph with the layers named in ``layers`` in 8 bits.

    Args:
        graph: its matrices are initializers named by layer, (in, out), on the grid of their scales.
        layers: how each one is quantized; those not named stay in float.

    Raises:
        CalibrationError: a layer is not in the graph or has a range that is no range.
    """
    model = copy.deepcopy(graph)
    inside = model.graph
    constants = {tensor.name: tensor for tensor in inside.initializer}
    for layer, how in layers.items():
        if layer not in constants:
            raise CalibrationError(
                f"the step graph has no layer {layer}; its matrices are "
                f"{', '.join(name for name in constants if name.startswith('layers.'))}."
            )
        if not (np.isfinite(how.amax) and how.amax > 0):
            raise CalibrationError(f"{layer} has the range {how.amax}, which gives no scale.")
        for tensor in _layer_constants(layer, constants[layer], how, precision):
            constants[tensor.name] = tensor
    constants[_ZERO] = _raw(_ZERO, np.zeros((), np.uint8), precision)
    constants[_TINY] = numpy_helper.from_array(np.asarray(TINY, np.float32), _TINY)
    nodes: list[onnx.NodeProto] = []
    for node in inside.node:
        layer = node.input[1] if node.op_type == "MatMul" else ""
        if layer in layers:
            nodes.extend(_quantized_product(node, layer, layers[layer]))
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    del inside.node[:], inside.initializer[:]
    inside.node.extend(nodes)
    inside.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    onnx.checker.check_model(model, full_check=True)
    return model


def _quantized_product(
    product: onnx.NodeProto, layer: str, how: LayerQuantization
) -> list[onnx.NodeProto]:
    """The nodes that take the place of a MatMul by a constant."""
    name, source, scale = product.name, product.input[0], f"{layer}.s_in"
    before, after = [], []
    output = product.output[0]
    if how.per_token:
        before = [
            _node("Abs", [source], f"{name}.abs"),
            _node("ReduceMax", [f"{name}.abs", _LAST], f"{name}.max", keepdims=1),
            _node("Max", [f"{name}.max", _TINY], f"{name}.m"),
            _node("Div", [source, f"{name}.m"], f"{name}.n"),
        ]
        source = f"{name}.n"
        after = [helper.make_node("Mul", [f"{name}.p", f"{name}.m"], [output], name=name)]
        output = f"{name}.p"
    return [
        *before,
        _node("QuantizeLinear", [source, scale, _ZERO], f"{name}.q"),
        _node("DequantizeLinear", [f"{name}.q", scale, _ZERO], f"{name}.dq"),
        _node("DequantizeLinear", [layer, f"{layer}.s"], f"{name}.w", axis=1),
        helper.make_node("MatMul", [f"{name}.dq", f"{name}.w"], [output], name=output),
        *after,
    ]


def _node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)


def _layer_constants(
    layer: str, weight: TensorProto, how: LayerQuantization, precision: Precision8
) -> list[TensorProto]:
    values = numpy_helper.to_array(weight).astype(np.float32)  # (in, out)
    activation = (1.0 if how.per_token else how.amax) / LARGEST[precision]
    return [
        _raw(layer, encode(values / how.weight_scales, precision), precision),
        numpy_helper.from_array(how.weight_scales, f"{layer}.s"),
        numpy_helper.from_array(np.asarray(activation, np.float32), f"{layer}.s_in"),
    ]


def encode(scaled: NDArray[np.float32], precision: Precision8) -> NDArray[np.uint8]:
    """Round to the 8-bit type, saturating; the bytes as uint8."""
    largest = LARGEST[precision]
    clipped = np.clip(scaled, -largest, largest)
    if precision == "int8":
        return np.rint(clipped).astype(np.int8).view(np.uint8)
    return clipped.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)


def _raw(name: str, codes: NDArray[Any], precision: Precision8) -> TensorProto:
    return helper.make_tensor(
        name, _ELEMENT[precision], codes.shape, np.asarray(codes, order="C").tobytes(), raw=True
    )
