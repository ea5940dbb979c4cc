"""A few lines over ``onnx.helper``: nodes in order, constants once, names that say where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge import __version__
from trm_edge.step import TensorSpec

ONNXRUNTIME_DOMAIN = "com.microsoft"

_ELEMENT = {
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
}


class GraphBuilder:
    """Collects a graph. Every value is named by the node that makes it."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Store an initializer; the same name again must bring the same value."""
        tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
        known = self._constants.setdefault(name, tensor)
        if known.raw_data != tensor.raw_data:
            raise ValueError(f"constant {name} was given two values")
        return name

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node with one output, which carries the node's name."""
        return self.split(op, inputs, [name], **attributes)[0]

    def split(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Append a node with several outputs."""
        self.nodes.append(
            helper.make_node(op, list(inputs), list(outputs), name=outputs[0], **attributes)
        )
        return list(outputs)

    def model(
        self,
        name: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        opset: int,
        metadata: dict[str, str],
    ) -> onnx.ModelProto:
        """The graph; ONNX Runtime's own operators are imported where a node is of its domain."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [_value(spec) for spec in inputs],
            [_value(spec) for spec in outputs],
            initializer=list(self._constants.values()),
        )
        imports = [helper.make_opsetid("", opset)]
        if any(node.domain == ONNXRUNTIME_DOMAIN for node in self.nodes):
            imports.append(helper.make_opsetid(ONNXRUNTIME_DOMAIN, 1))
        model = helper.make_model(
            graph,
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", opset)]),
            producer_name="trm-edge",
            producer_version=__version__,
        )
        helper.set_model_props(model, metadata)
        return model


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    shape = ["B" if axis is None else axis for axis in spec.shape]
    return helper.make_tensor_value_info(spec.name, _ELEMENT[spec.dtype], shape)
