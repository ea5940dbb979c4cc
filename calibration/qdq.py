"""Q/DQ pairs on the inputs of the network's matrix products, and nowhere else.

Weights have one scale for each output channel (INT4 one for each block of it) and are stored once.
Activations have symmetric scales from calibration, one for the layer or one for each call site.
Where a layer is quantized per token, each token is divided by its own largest magnitude first and
the product multiplied by it, so that the same static Q/DQ gives every token the whole range. The
residual stream, the norms and the heads stay as they are. Every product has a DequantizeLinear of
its own, since runtimes fuse the pair into an integer product only then; products of the same input
share the nodes before it. In a graph of ONNX Runtime's own operators INT8 inputs are shifted by 128
into UINT8, the same levels: its kernels on x86 expect UINT8, and fuse a shared input only then.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from trm_edge.calibration.grid import LARGEST, TINY
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.quantized_products import (
    LAST_AXIS,
    TINY_MAGNITUDE,
    ZERO,
    ProductEmitter,
    QuantizedMatrix,
    input_scale_name,
)
from trm_edge.calibration.recipe import QType
from trm_edge.calibration.saturation import require_no_saturation
from trm_edge.calibration.weight_codes import STORED, encode_weight
from trm_edge.errors import CalibrationError
from trm_edge.export.onnxruntime_graph import PARTS

_OPSET_INT4 = 21  # the first with INT4 and with scales by block


def quantize_graph(
    graph: onnx.ModelProto, layers: Mapping[str, LayerQuantization], qtype: QType
) -> onnx.ModelProto:
    """Quantize layers of a float step graph.

    Args:
        graph: the step graph; it is not changed. Its matrices are initializers (in, out), named by
            layer or by layer and part, in float32 or float16; scales get the same type, as ONNX
            requires.
        layers: quantization by layer name; layers that are absent stay in float.
        qtype: the quantized type.

    Returns:
        A copy with the layers quantized.

    Raises:
        CalibrationError: a layer is not in the graph, has a range that gives no scale, a scale
            does not fit into the graph's type, or an integer product could saturate on some CPU.
    """
    model = copy.deepcopy(graph)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    element = _element_type(constants)
    matrices = _matrices(constants, layers)
    if qtype == "int8":
        _require_exact_products(matrices)
    for tensor in _layer_constants(layers, matrices, qtype, element):
        constants[tensor.name] = tensor
    shifted = qtype == "int8" and any(opset.domain for opset in model.opset_import)
    for tensor in _shared_constants(qtype, element, shifted=shifted):
        constants[tensor.name] = tensor
    emitter = ProductEmitter(qtype, reciprocal=shifted)
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in matrices:
            emitter.emit(node, matrices[node.input[1]])
        else:
            emitter.nodes.append(node)
    _replace(model.graph, emitter.nodes, constants)
    if qtype == "int4":
        model.opset_import[0].version = _OPSET_INT4
        model.ir_version = max(model.ir_version, 10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _replace(
    graph: onnx.GraphProto, nodes: list[onnx.NodeProto], constants: Mapping[str, TensorProto]
) -> None:
    """Put in new nodes and the constants that they use."""
    used = set()
    for node in nodes:
        used.update(node.input)
    del graph.node[:]
    del graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in constants.items() if name in used)


def _matrices(
    constants: Mapping[str, TensorProto], layers: Mapping[str, LayerQuantization]
) -> dict[str, QuantizedMatrix]:
    """The matrices of the layers by the names of their initializers.

    Raises:
        CalibrationError: a layer is not in the graph.
    """
    matrices = {}
    for layer, quantization in layers.items():
        if layer in constants:
            matrices[layer] = QuantizedMatrix(layer, layer, quantization)
            continue
        parts = PARTS.get(layer.rpartition(".")[2], ())
        names = [f"{layer}.{part}" for part in parts]
        if not names or not all(name in constants for name in names):
            available = [name for name in constants if _is_layer(name)]
            raise CalibrationError(
                f"the step graph has no layer {layer}; its matrices are {', '.join(available)}."
            )
        for index, name in enumerate(names):
            matrices[name] = QuantizedMatrix(name, layer, quantization.part(index, len(names)))
    return matrices


def _element_type(constants: Mapping[str, TensorProto]) -> Any:
    """The NumPy type that the network computes in."""
    types = set()
    for name, tensor in constants.items():
        if _is_layer(name):
            types.add(tensor.data_type)
    if types == {TensorProto.FLOAT16}:
        return np.float16
    return np.float32


def _is_layer(name: str) -> bool:
    """Tell whether a constant is a matrix of a network."""
    return name.startswith("layers.") or ".layers." in name


def _layer_constants(
    layers: Mapping[str, LayerQuantization],
    matrices: Mapping[str, QuantizedMatrix],
    qtype: QType,
    element: Any,
) -> list[TensorProto]:
    """Scales of inputs, then codes, scales and biases of matrices."""
    tensors: list[TensorProto] = []
    for layer, quantization in layers.items():
        if not all(np.isfinite(amax) and amax > 0 for amax in quantization.amax):
            raise CalibrationError(
                f"{layer} has the range {quantization.amax}, which gives no scale."
            )
        tensors += _input_scales(layer, quantization, qtype, element)
    for matrix in matrices.values():
        tensors += _matrix_constants(matrix, qtype, element)
    return tensors


def _input_scales(
    layer: str, quantization: LayerQuantization, qtype: QType, element: Any
) -> list[TensorProto]:
    if quantization.activations == "float":
        return []
    tensors = []
    for site, amax in enumerate(quantization.amax):
        largest = amax
        if quantization.activations == "per_token":
            largest = 1.0
        scale = _scales(np.asarray(largest / LARGEST[qtype]), layer, element)
        tensors.append(numpy_helper.from_array(scale, input_scale_name(layer, quantization, site)))
    return tensors


def _matrix_constants(matrix: QuantizedMatrix, qtype: QType, element: Any) -> list[TensorProto]:
    quantization = matrix.quantization
    codes = np.ascontiguousarray(encode_weight(quantization, qtype).T)  # (in, out)
    scales = quantization.weight_scales[:, 0]
    if qtype == "int4":
        scales = quantization.weight_scales.T
    tensors = [
        numpy_helper.from_array(codes, matrix.name),
        numpy_helper.from_array(_scales(scales, matrix.layer, element), f"{matrix.name}.s"),
    ]
    if quantization.bias is not None:
        bias = quantization.bias.astype(element)
        tensors.append(numpy_helper.from_array(bias, f"{matrix.name}.b"))
    return tensors


def _require_exact_products(matrices: Mapping[str, QuantizedMatrix]) -> None:
    """Hold every matrix with integer inputs to sums that no kernel saturates.

    Raises:
        CalibrationError: names the matrix.
    """
    for matrix in matrices.values():
        if matrix.quantization.activations != "float":
            require_no_saturation(encode_weight(matrix.quantization, "int8"), matrix.name)


def _shared_constants(qtype: QType, element: Any, *, shifted: bool) -> list[TensorProto]:
    zero = np.zeros((), STORED[qtype])
    if shifted:
        zero = np.asarray(np.uint8(128))
    return [
        numpy_helper.from_array(zero, ZERO),
        numpy_helper.from_array(np.array([-1], np.int64), LAST_AXIS),
        numpy_helper.from_array(np.asarray(TINY, element), TINY_MAGNITUDE),
    ]


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
            f"into {np.dtype(element).name}. Choose a target whose carry is float32."
        )
    return scales
