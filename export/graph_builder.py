"""A few lines over ``onnx.helper``: nodes in order, each constant once, every value named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Collects the nodes and constants of a graph; every value has the name of its node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Store an initializer; repeating a name requires the same value.

        Args:
            name: of the initializer.
            value: an array of any shape, stored in its own type.

        Returns:
            The name.

        Raises:
            ValueError: the name was used for another value.
        """
        tensor = numpy_helper.from_array(np.asarray(value, order="C"), name)
        stored = self._constants.setdefault(name, tensor)
        if stored.raw_data != tensor.raw_data:
            raise ValueError(f"constant {name} has two different values")
        return name

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Append a node with one output.

        Args:
            op: operator.
            inputs: names of its inputs.
            name: of the node and of its output.
            attributes: of the operator; ``domain`` where it is not standard ONNX.

        Returns:
            The output's name.
        """
        return self.split(op, inputs, [name], **attributes)[0]

    def split(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> list[str]:
        """Append a node with several outputs.

        Args:
            op: operator.
            inputs: names of its inputs.
            outputs: names of its outputs; the node has the first one's.
            attributes: of the operator; ``domain`` where it is not standard ONNX.

        Returns:
            The outputs' names.
        """
        node = helper.make_node(op, list(inputs), list(outputs), name=outputs[0], **attributes)
        self.nodes.append(node)
        return list(outputs)

    def model(
        self,
        name: str,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        opset: int,
        metadata: Mapping[str, str],
    ) -> onnx.ModelProto:
        """Make the model; ONNX Runtime's own operators are imported where a node uses them.

        Args:
            name: of the graph.
            inputs: names, shapes and types of its inputs.
            outputs: names, shapes and types of its outputs.
            opset: version of the standard operators.
            metadata: key-value pairs to store in the model.
        """
        graph = helper.make_graph(
            self.nodes,
            name,
            [_value_info(spec) for spec in inputs],
            [_value_info(spec) for spec in outputs],
            initializer=list(self._constants.values()),
        )
        standard = helper.make_opsetid("", opset)
        imports = [standard]
        if any(node.domain == ONNXRUNTIME_DOMAIN for node in self.nodes):
            imports.append(helper.make_opsetid(ONNXRUNTIME_DOMAIN, 1))
        model = helper.make_model(
            graph,
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for([standard]),
            producer_name="trm-edge",
            producer_version=__version__,
        )
        helper.set_model_props(model, dict(metadata))
        return model


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    shape = ["B" if axis is None else axis for axis in spec.shape]
    return helper.make_tensor_value_info(spec.name, _ELEMENT[spec.dtype], shape)
