"""Q/DQ on the inputs of the network's matrix products, and nowhere else.

Weights get one scale an output channel (INT4 one a block of it) and are stored once. Activations
get symmetric scales taken in advance, one for the layer or one for each of its call sites; where a
layer is quantized per token, each row is divided by its own largest magnitude first and the product
multiplied by it, so that the same static Q/DQ gives every row the whole range. The residual stream,
the norms and the heads stay as they are. Every product has a DequantizeLinear of its own, since
runtimes fuse the pair into an integer product only then.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.grid import BLOCK, LARGEST, TINY, spread_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.recipe import QuantizedType
from trm_edge.errors import CalibrationError

STORED: dict[QuantizedType, Any] = {
    "int8": np.int8,
    "fp8": ml_dtypes.float8_e4m3fn,
    "int4": ml_dtypes.int4,
}
_OPSET_INT4 = 21  # the first that has INT4 and scales by block
_ZERO, _TINY, _LAST = "zero", "tiny", "last_axis"


def quantize_graph(
    graph: onnx.ModelProto, layers: Mapping[str, LayerQuantization], kind: QuantizedType
) -> onnx.ModelProto:
    """A copy of a float step graph with the layers named in ``layers`` quantized.

    Args:
        graph: its matrices are initializers named by layer, (in, out), in float32 or float16;
            scales are of the same type, as ONNX wants them.
        layers: how each one is quantized; those not named stay in float.

    Raises:
        CalibrationError: a layer is not in the graph or has a range that is no range.
    """
    model = copy.deepcopy(graph)
    inside = model.graph
    constants = {tensor.name: tensor for tensor in inside.initializer}
    element = _element_type(constants)
    for layer, how in layers.items():
        if layer not in constants:
            raise CalibrationError(
                f"the step graph has no layer {layer}; its matrices are "
                f"{', '.join(name for name in constants if name.startswith('layers.'))}."
            )
        if not all(np.isfinite(amax) and amax > 0 for amax in how.amax):
            raise CalibrationError(f"{layer} has the range {how.amax}, which gives no scale.")
        for tensor in _layer_constants(layer, how, kind, element):
            constants[tensor.name] = tensor
    constants[_ZERO] = numpy_helper.from_array(np.zeros((), STORED[kind]), _ZERO)
    constants[_TINY] = numpy_helper.from_array(np.asarray(TINY, element), _TINY)
    nodes: list[onnx.NodeProto] = []
    sites: Counter[str] = Counter()
    for node in inside.node:
        layer = node.input[1] if node.op_type == "MatMul" else ""
        if layer in layers:
            nodes.extend(_quantized_product(node, layer, layers[layer], kind, sites[layer]))
            sites[layer] += 1
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    del inside.node[:], inside.initializer[:]
    inside.node.extend(nodes)
    inside.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    if kind == "int4":
        model.opset_import[0].version = _OPSET_INT4
        model.ir_version = max(model.ir_version, 10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _quantized_product(
    product: onnx.NodeProto, layer: str, how: LayerQuantization, kind: QuantizedType, site: int
) -> list[onnx.NodeProto]:
    """The nodes that take the place of a MatMul by a constant."""
    name, source, output = product.name, product.input[0], product.output[0]
    before, after = [], []
    if how.bias is not None:
        after = [helper.make_node("Add", [f"{name}.p", f"{layer}.b"], [output], name=name)]
        output = f"{name}.p"
    if how.activations == "per_token":
        before = [
            _node("Abs", [source], f"{name}.abs"),
            _node("ReduceMax", [f"{name}.abs", _LAST], f"{name}.max", keepdims=1),
            _node("Max", [f"{name}.max", _TINY], f"{name}.m"),
            _node("Div", [source, f"{name}.m"], f"{name}.n"),
        ]
        source = f"{name}.n"
        after = [
            helper.make_node("Mul", [f"{name}.r", f"{name}.m"], [output], name=f"{name}.scaled"),
            *after,
        ]
        output = f"{name}.r"
    if how.activations != "float":
        scale = _scale_name(layer, how, site)
        before += [
            _node("QuantizeLinear", [source, scale, _ZERO], f"{name}.q"),
            _node("DequantizeLinear", [f"{name}.q", scale, _ZERO], f"{name}.dq"),
        ]
        source = f"{name}.dq"
    block = {"axis": 0, "block_size": BLOCK} if kind == "int4" else {"axis": 1}
    return [
        *before,
        _node("DequantizeLinear", [layer, f"{layer}.s"], f"{name}.w", **block),
        helper.make_node("MatMul", [source, f"{name}.w"], [output], name=f"{name}.product"),
        *after,
    ]


def _node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)


def _scale_name(layer: str, how: LayerQuantization, site: int) -> str:
    return f"{layer}.s_in" if len(how.amax) == 1 else f"{layer}.s_in.{site}"


def _element_type(constants: Mapping[str, TensorProto]) -> Any:
    """What the network computes in."""
    found = {tensor.data_type for name, tensor in constants.items() if name.startswith("layers.")}
    return np.float16 if found == {TensorProto.FLOAT16} else np.float32


def _layer_constants(
    layer: str, how: LayerQuantization, kind: QuantizedType, element: Any
) -> list[TensorProto]:
    codes = np.ascontiguousarray(encode(how, kind).T)  # (in, out)
    scales = how.weight_scales.T if kind == "int4" else how.weight_scales[:, 0]
    tensors = [
        numpy_helper.from_array(codes, layer),
        numpy_helper.from_array(_scales(scales, layer, element), f"{layer}.s"),
    ]
    if how.activations != "float":
        for site, amax in enumerate(how.amax):
            largest = 1.0 if how.activations == "per_token" else amax
            scale = _scales(np.asarray(largest / LARGEST[kind]), layer, element)
            tensors.append(numpy_helper.from_array(scale, _scale_name(layer, how, site)))
    if how.bias is not None:
        tensors.append(numpy_helper.from_array(how.bias.astype(element), f"{layer}.b"))
    return tensors


def _scales(values: NDArray[Any], layer: str, element: Any) -> NDArray[Any]:
    """Scales in the graph's type.

    Raises:
        CalibrationError: one is too small or too large for it.
    """
    with np.errstate(over="ignore", under="ignore"):
        scales = np.array(values, element, order="C")
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise CalibrationError(
            f"{layer} has scales from {values.min():.3g} to {values.max():.3g}, which do not fit "
            f"into {np.dtype(element).name}. Choose a target that carries float32."
        )
    return scales


def encode(how: LayerQuantization, kind: QuantizedType) -> NDArray[Any]:
    """The codes of a layer's weight, (out, in) in the quantized type."""
    scales = torch.from_numpy(how.weight_scales)
    scaled = (how.weight / spread_scales(scales, how.weight.shape[1], kind)).numpy()
    clipped = np.clip(scaled, -LARGEST[kind], LARGEST[kind])
    codes: NDArray[Any] = (clipped if kind == "fp8" else np.rint(clipped)).astype(STORED[kind])
    return codes
