"""ONNX nodes of quantized matrix products: what takes the place of each MatMul."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import onnx
from onnx import helper

from trm_edge.calibration.grid import BLOCK
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.recipe import QType

# Names of constants that all products share.
ZERO = "zero"  # zero point of activations
TINY_MAGNITUDE = "tiny"  # smallest divisor of a token
LAST_AXIS = "last_axis"


@dataclass(frozen=True)
class QuantizedMatrix:
    """A matrix of the graph: a whole layer, or an equal share of its output channels.

    Args:
        name: of the initializer.
        layer: name of the layer.
        quantization: of this share.
    """

    name: str
    layer: str
    quantization: LayerQuantization


class _QuantizedInput(NamedTuple):
    codes: str
    token_scale: str  # name of what tokens were divided by; "" if they were not


class ProductEmitter:
    """Emit the nodes of quantized products in the order of the graph.

    Args:
        qtype: the quantized type.
        reciprocal: divide once per token and multiply by that: a CPU divides slowly.
    """

    def __init__(self, qtype: QType, *, reciprocal: bool) -> None:
        self.qtype = qtype
        self.nodes: list[onnx.NodeProto] = []
        self._reciprocal = reciprocal
        self._calls: Counter[str] = Counter()  # by matrix
        self._inputs: dict[tuple[str, str], _QuantizedInput] = {}  # by source and scale

    def emit(self, product: onnx.NodeProto, matrix: QuantizedMatrix) -> None:
        """Append the nodes that take the place of a MatMul.

        Args:
            product: the MatMul.
            matrix: its second input.
        """
        name = product.name
        source = product.input[0]
        output = product.output[0]
        quantization = matrix.quantization
        site = self._calls[matrix.name]
        self._calls[matrix.name] += 1
        after = []
        if quantization.bias is not None:
            after.append(_named_node("Add", [f"{name}.p", f"{matrix.name}.b"], output, name))
            output = f"{name}.p"
        if quantization.activations != "float":
            scale = input_scale_name(matrix.layer, quantization, site)
            quantized = self._quantized_input(source, scale, quantization, name)
            if quantized.token_scale:
                factors = [f"{name}.r", quantized.token_scale]
                after.insert(0, _named_node("Mul", factors, output, f"{name}.scaled"))
                output = f"{name}.r"
            source = f"{name}.dq"
            self.nodes.append(_node("DequantizeLinear", [quantized.codes, scale, ZERO], source))
        self.nodes.append(self._dequantized_weight(matrix, f"{name}.w"))
        self.nodes.append(_named_node("MatMul", [source, f"{name}.w"], output, f"{name}.product"))
        self.nodes += after

    def _dequantized_weight(self, matrix: QuantizedMatrix, output: str) -> onnx.NodeProto:
        inputs = [matrix.name, f"{matrix.name}.s"]
        if self.qtype == "int4":
            return _node("DequantizeLinear", inputs, output, axis=0, block_size=BLOCK)
        return _node("DequantizeLinear", inputs, output, axis=1)

    def _quantized_input(
        self, source: str, scale: str, quantization: LayerQuantization, name: str
    ) -> _QuantizedInput:
        """Quantize an input, once for all products that share it."""
        if (source, scale) in self._inputs:
            return self._inputs[source, scale]
        values = source
        token_scale = ""
        if quantization.activations == "per_token":
            token_scale = f"{name}.m"
            values = self._divided_by_magnitude(source, token_scale, name)
        codes = f"{name}.q"
        self.nodes.append(_node("QuantizeLinear", [values, scale, ZERO], codes))
        self._inputs[source, scale] = _QuantizedInput(codes, token_scale)
        return self._inputs[source, scale]

    def _divided_by_magnitude(self, source: str, token_scale: str, name: str) -> str:
        """Divide each token by its own largest magnitude."""
        self.nodes += [
            _node("Abs", [source], f"{name}.abs"),
            _node("ReduceMax", [f"{name}.abs", LAST_AXIS], f"{name}.max", keepdims=1),
            _node("Max", [f"{name}.max", TINY_MAGNITUDE], token_scale),
        ]
        output = f"{name}.n"
        if self._reciprocal:
            self.nodes.append(_node("Reciprocal", [token_scale], f"{name}.by"))
            self.nodes.append(_node("Mul", [source, f"{name}.by"], output))
        else:
            self.nodes.append(_node("Div", [source, token_scale], output))
        return output


def input_scale_name(layer: str, quantization: LayerQuantization, site: int) -> str:
    """Name the scale of a layer's input.

    Args:
        layer: name of the layer.
        quantization: of the layer.
        site: number of the call site, from 0.
    """
    if len(quantization.amax) == 1:
        return f"{layer}.s_in"
    return f"{layer}.s_in.{site}"


def _named_node(op: str, inputs: list[str], output: str, name: str) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=name)


def _node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)
