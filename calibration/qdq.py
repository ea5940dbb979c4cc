"""Q/DQ on the inputs of the network's matrix products, and nowhere else.

Weights get one scale an output channel (INT4 one a block of it) and are stored once. Activations
get symmetric scales taken in advance, one for the layer or one for each of its call sites; where a
layer is quantized per token, each row is divided by its own largest magnitude first and the product
multiplied by it, so that the same static Q/DQ gives every row the whole range. The residual stream,
the norms and the heads stay as they are. Every product has a DequantizeLinear of its own, since
runtimes fuse the pair into an integer product only then; products of one input share what comes
before it. In a graph of ONNX Runtime's own operators INT8 inputs are shifted by 128 into UINT8, the
same levels: what its kernels on x86 take, and without which a shared input is not fused.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.calibration.grid import BLOCK, LARGEST, TINY, spread_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.recipe import QType
from trm_edge.errors import CalibrationError
from trm_edge.export.onnxruntime_graph import PARTS

STORED: dict[QType, Any] = {
    "int8": np.int8,
    "fp8": ml_dtypes.float8_e4m3fn,
    "int4": ml_dtypes.int4,
}
_OPSET_INT4 = 21  # the first that has INT4 and scales by block
_ZERO, _TINY, _LAST = "zero", "tiny", "last_axis"


def quantize_graph(
    graph: onnx.ModelProto, layers: Mapping[str, LayerQuantization], qtype: QType
) -> onnx.ModelProto:
    """A copy of a float step graph with the layers named in ``layers`` quantized.

    Args:
        graph: its matrices are initializers named by layer, or by layer and part, (in, out), in
            float32 or float16; scales are of the same type, as ONNX wants them.
        layers: how each one is quantized; those not named stay in float.

    Raises:
        CalibrationError: a layer is not in the graph or has a range that is no range.
    """
    model = copy.deepcopy(graph)
    inside = model.graph
    constants = {tensor.name: tensor for tensor in inside.initializer}
    element = _element_type(constants)
    matrices = _matrices(constants, layers)
    for layer, how in layers.items():
        if not all(np.isfinite(amax) and amax > 0 for amax in how.amax):
            raise CalibrationError(f"{layer} has the range {how.amax}, which gives no scale.")
        for tensor in _input_scales(layer, how, qtype, element):
            constants[tensor.name] = tensor
    for matrix in matrices.values():
        for tensor in _matrix_constants(matrix, qtype, element):
            constants[tensor.name] = tensor
    shifted = qtype == "int8" and any(one.domain for one in model.opset_import)
    zero = np.uint8(128) if shifted else np.zeros((), STORED[qtype])
    constants[_ZERO] = numpy_helper.from_array(np.asarray(zero), _ZERO)
    constants[_LAST] = numpy_helper.from_array(np.array([-1], np.int64), _LAST)
    constants[_TINY] = numpy_helper.from_array(np.asarray(TINY, element), _TINY)
    emitter = _ProductEmitter(qtype, reciprocal=shifted)
    for node in inside.node:
        if node.op_type == "MatMul" and node.input[1] in matrices:
            emitter.product(node, matrices[node.input[1]])
        else:
            emitter.nodes.append(node)
    nodes = emitter.nodes
    used = {name for node in nodes for name in node.input}
    del inside.node[:], inside.initializer[:]
    inside.node.extend(nodes)
    inside.initializer.extend(tensor for name, tensor in constants.items() if name in used)
    if qtype == "int4":
        model.opset_import[0].version = _OPSET_INT4
        model.ir_version = max(model.ir_version, 10)
    onnx.checker.check_model(model, full_check=True)
    return model


@dataclass(frozen=True)
class _Matrix:
    """A constant of the graph: a whole layer, or an equal share of its output channels."""

    name: str
    layer: str
    how: LayerQuantization  # of this share


def _matrices(
    constants: Mapping[str, TensorProto], layers: Mapping[str, LayerQuantization]
) -> dict[str, _Matrix]:
    """Where each layer's weight stands in the graph.

    Raises:
        CalibrationError: a layer is not in the graph.
    """
    found = {}
    for layer, how in layers.items():
        if layer in constants:
            found[layer] = _Matrix(layer, layer, how)
            continue
        parts = PARTS.get(layer.rpartition(".")[2], ())
        names = [f"{layer}.{part}" for part in parts]
        if not names or not all(name in constants for name in names):
            raise CalibrationError(
                f"the step graph has no layer {layer}; its matrices are "
                f"{', '.join(name for name in constants if name.startswith('layers.'))}."
            )
        for index, name in enumerate(names):
            found[name] = _Matrix(name, layer, how.part(index, len(names)))
    return found


class _ProductEmitter:
    """Puts quantized products in the place of those by a constant, in the order of the graph.

    Args:
        reciprocal: divide a row once and multiply by that: a CPU divides slowly.
    """

    def __init__(self, qtype: QType, *, reciprocal: bool) -> None:
        self.qtype = qtype
        self._reciprocal = reciprocal
        self.nodes: list[onnx.NodeProto] = []
        self._calls: Counter[str] = Counter()  # by matrix
        self._ready: dict[tuple[str, str], tuple[str, str]] = {}

    def product(self, product: onnx.NodeProto, matrix: _Matrix) -> None:
        """The nodes that take the place of a MatMul."""
        name, source, output = product.name, product.input[0], product.output[0]
        how, site = matrix.how, self._calls[matrix.name]
        self._calls[matrix.name] += 1
        after = []
        if how.bias is not None:
            after = [_op("Add", [f"{name}.p", f"{matrix.name}.b"], output, name)]
            output = f"{name}.p"
        if how.activations != "float":
            scale = _scale_name(matrix.layer, how, site)
            source, row = self._quantized_input(source, scale, how, name)
            if row:
                after.insert(0, _op("Mul", [f"{name}.r", row], output, f"{name}.scaled"))
                output = f"{name}.r"
            self.nodes.append(_node("DequantizeLinear", [source, scale, _ZERO], f"{name}.dq"))
            source = f"{name}.dq"
        block = {"axis": 0, "block_size": BLOCK} if self.qtype == "int4" else {"axis": 1}
        weight = [matrix.name, f"{matrix.name}.s"]
        self.nodes += [
            _node("DequantizeLinear", weight, f"{name}.w", **block),
            _op("MatMul", [source, f"{name}.w"], output, f"{name}.product"),
            *after,
        ]

    def _quantized_input(
        self, source: str, scale: str, how: LayerQuantization, name: str
    ) -> tuple[str, str]:
        """The input in the quantized type, and what its rows were divided by ("" where by 1)."""
        if (source, scale) in self._ready:
            return self._ready[source, scale]
        given, row = source, ""
        if how.activations == "per_token":
            row = f"{name}.m"
            self.nodes += [
                _node("Abs", [source], f"{name}.abs"),
                _node("ReduceMax", [f"{name}.abs", _LAST], f"{name}.max", keepdims=1),
                _node("Max", [f"{name}.max", _TINY], row),
            ]
            by, how_to = row, "Div"
            if self._reciprocal:
                by, how_to = f"{name}.by", "Mul"
                self.nodes.append(_node("Reciprocal", [row], by))
            self.nodes.append(_node(how_to, [source, by], f"{name}.n"))
            source = f"{name}.n"
        self.nodes.append(_node("QuantizeLinear", [source, scale, _ZERO], f"{name}.q"))
        self._ready[given, scale] = f"{name}.q", row
        return f"{name}.q", row


def _op(op: str, inputs: list[str], output: str, name: str) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=name)


def _node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)


def _scale_name(layer: str, how: LayerQuantization, site: int) -> str:
    return f"{layer}.s_in" if len(how.amax) == 1 else f"{layer}.s_in.{site}"


def _element_type(constants: Mapping[str, TensorProto]) -> Any:
    """What the network computes in."""
    found = {tensor.data_type for name, tensor in constants.items() if name.startswith("layers.")}
    return np.float16 if found == {TensorProto.FLOAT16} else np.float32


def _input_scales(
    layer: str, how: LayerQuantization, qtype: QType, element: Any
) -> list[TensorProto]:
    if how.activations == "float":
        return []
    tensors = []
    for site, amax in enumerate(how.amax):
        largest = 1.0 if how.activations == "per_token" else amax
        scale = _scales(np.asarray(largest / LARGEST[qtype]), layer, element)
        tensors.append(numpy_helper.from_array(scale, _scale_name(layer, how, site)))
    return tensors


def _matrix_constants(matrix: _Matrix, qtype: QType, element: Any) -> list[TensorProto]:
    how, name = matrix.how, matrix.name
    codes = np.ascontiguousarray(encode(how, qtype).T)  # (in, out)
    scales = how.weight_scales.T if qtype == "int4" else how.weight_scales[:, 0]
    tensors = [
        numpy_helper.from_array(codes, name),
        numpy_helper.from_array(_scales(scales, matrix.layer, element), f"{name}.s"),
    ]
    if how.bias is not None:
        tensors.append(numpy_helper.from_array(how.bias.astype(element), f"{name}.b"))
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


def encode(how: LayerQuantization, qtype: QType) -> NDArray[Any]:
    """The codes of a layer's weight, (out, in) in the quantized type."""
    scales = torch.from_numpy(how.weight_scales)
    scaled = (how.weight / spread_scales(scales, how.weight.shape[1], qtype)).numpy()
    clipped = np.clip(scaled, -LARGEST[qtype], LARGEST[qtype])
    codes: NDArray[Any] = (clipped if qtype == "fp8" else np.rint(clipped)).astype(STORED[qtype])
    return codes
