"""Reads an ONNX file without onnx: only the fields that step graphs have, and no more than those.

Fields, types and operator sets that no export writes are refused, so that nothing in a file goes
unseen by the checks of :mod:`trm_edge.graph_guard`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from trm_edge.graph_shapes import Constants
from trm_edge.operator_call import Node
from trm_edge.operator_shapes import ONNXRUNTIME_DOMAIN
from trm_edge.wire import Reader, WireError, signed, text

MAX_NODES = 20_000
MAX_CONSTANTS = 20_000
_MAX_AXES = 8
_MAX_SHAPE_VALUES = 64  # elements of a constant that is an operator's axes, sizes or shape
_OPSETS = {"": range(13, 31), "ai.onnx": range(13, 31), ONNXRUNTIME_DOMAIN: range(1, 2)}
_EXTERNAL = 1  # TensorProto.DataLocation
_INT8 = 3
_INT32 = 6
_INT64 = 7
# Types that states are stored in.
_FLOATS: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}
# Bits of an element of each TensorProto.DataType that a step graph holds.
_BITS = {
    1: 32,  # FLOAT
    2: 8,  # UINT8
    _INT8: 8,
    _INT32: 32,
    _INT64: 64,
    9: 8,  # BOOL
    10: 16,  # FLOAT16
    16: 16,  # BFLOAT16
    17: 8,  # FLOAT8E4M3FN
    21: 4,  # UINT4
    22: 4,  # INT4
}
# Fields by number (onnx.proto). "-": may be there, and is not read.
_MODEL = {
    1: "-ir_version",
    2: "-producer_name",
    3: "-producer_version",
    4: "-domain",
    5: "-model_version",
    6: "-doc_string",
    7: "graph",
    8: "opset_import*",
    14: "-metadata_props",
}
_GRAPH = {
    1: "node*",
    2: "-name",
    5: "initializer*",
    10: "-doc_string",
    11: "input*",
    12: "output*",
    13: "-value_info",
    16: "-metadata_props",
}
_OPSET = {1: "domain", 2: "version"}
_NODE = {
    1: "input*",
    2: "output*",
    3: "-name",
    4: "op_type",
    5: "attribute*",
    6: "-doc_string",
    7: "domain",
    9: "-metadata_props",
}
_ATTRIBUTE = {1: "name", 2: "f", 3: "i", 4: "s", 7: "-floats", 8: "ints*", 13: "-doc", 20: "-type"}
_TENSOR = {
    1: "dims*",
    2: "data_type",
    8: "name",
    9: "raw_data",
    12: "-doc_string",
    13: "external_data*",
    14: "data_location",
}
_VALUE = {1: "name", 2: "type", 3: "-doc_string"}
_TYPE = {1: "tensor_type", 6: "-denotation"}
_TENSOR_TYPE = {1: "-elem_type", 2: "shape"}
_SHAPE = {1: "dim*"}
_DIMENSION = {1: "dim_value", 2: "dim_param", 3: "-denotation"}


@dataclass
class StepGraph:
    """What was read of a graph.

    Args:
        nodes: its operators, in order.
        constants: its initializers.
        inputs: shape by name; None is a named axis, the batch.
        outputs: their names.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: Constants = field(default_factory=Constants)
    inputs: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)


class GraphReader:
    """Decodes the parts of an ONNX file that decide what it asks for."""

    def __init__(self) -> None:
        self._reader = Reader()

    def read(self, content: memoryview) -> StepGraph:
        """Decode a file.

        Args:
            content: its bytes.

        Raises:
            WireError: it has fields, types or operator sets that no export writes, or too much.
        """
        model = self._reader.message(content, _MODEL)
        if "graph" not in model:
            raise WireError("it holds no graph")
        self._check_opsets(model.get("opset_import", []))
        raw = self._reader.message(_bytes(model["graph"]), _GRAPH)
        for key, limit in (("node", MAX_NODES), ("initializer", MAX_CONSTANTS)):
            count = len(raw.get(key, []))
            if count > limit:
                raise WireError(f"it has {count} entries of {key}, and at most {limit} are read")
        graph = StepGraph()
        for _, value in raw.get("initializer", []):
            self._constant(_bytes(value), graph.constants)
        for _, value in raw.get("input", []):
            name, shape = self._value(_bytes(value))
            graph.inputs[name] = shape
        graph.outputs = [self._value(_bytes(value))[0] for _, value in raw.get("output", [])]
        graph.nodes = [self._node(_bytes(value)) for _, value in raw.get("node", [])]
        return graph

    def _check_opsets(self, imports: list[tuple[int, Any]]) -> None:
        for _, value in imports:
            entry = self._reader.message(_bytes(value), _OPSET)
            domain = text(entry.get("domain", memoryview(b"")))
            version = signed(entry.get("version", 0))
            versions = _OPSETS.get(domain)
            if versions is None:
                raise WireError(f"it imports the operators of {domain!r}")
            if version not in versions:
                raise WireError(
                    f"it needs version {version} of the operators of {domain or 'ONNX'!r}, and "
                    f"{versions.start} to {versions.stop - 1} are known"
                )

    def _constant(self, content: memoryview, constants: Constants) -> None:
        tensor = self._reader.message(content, _TENSOR)
        name = text(tensor.get("name", memoryview(b"")))
        if tensor.get("data_location", 0) == _EXTERNAL or "external_data" in tensor:
            raise WireError(f"the data of its constant {name!r} lies in another file")
        shape = tuple(self._reader.integers(tensor.get("dims", [])))
        data_type = signed(tensor.get("data_type", 0))
        raw = _bytes(tensor.get("raw_data", memoryview(b"")))
        if data_type not in _BITS:
            raise WireError(f"its constant {name!r} is of data type {data_type}")
        if len(shape) > _MAX_AXES or any(axis < 1 for axis in shape):
            raise WireError(f"its constant {name!r} has the shape {shape[:_MAX_AXES]}")
        size = -(-prod(shape) * _BITS[data_type] // 8)
        if len(raw) != size:
            raise WireError(
                f"its constant {name!r} has the shape {shape} and so {size} bytes, but holds "
                f"{len(raw)}"
            )
        if not name or name in constants.shapes:
            raise WireError(f"it has two constants {name!r}")
        constants.shapes[name] = shape
        if data_type == _INT64 and prod(shape) <= _MAX_SHAPE_VALUES:
            constants.integers[name] = np.frombuffer(raw, "<i8").tolist()
        if data_type == _INT32:
            values = np.frombuffer(raw, "<i4")
            constants.ranges[name] = (int(values.min()), int(values.max()))
        if data_type == _INT8 and len(shape) == 2:
            constants.int8[name] = np.frombuffer(raw, np.int8).reshape(shape)
        if data_type in _FLOATS and len(shape) == 1:
            constants.vectors[name] = np.frombuffer(raw, _FLOATS[data_type])

    def _value(self, content: memoryview) -> tuple[str, tuple[int | None, ...]]:
        """Name and shape of an input or output; None is a named axis, the batch."""
        value = self._reader.message(content, _VALUE)
        name = text(value.get("name", memoryview(b"")))
        shape: list[int | None] = []
        kind = self._reader.message(_bytes(value.get("type", memoryview(b""))), _TYPE)
        tensor = self._reader.message(
            _bytes(kind.get("tensor_type", memoryview(b""))), _TENSOR_TYPE
        )
        axes = self._reader.message(_bytes(tensor.get("shape", memoryview(b""))), _SHAPE)
        for _, axis in axes.get("dim", []):
            dimension = self._reader.message(_bytes(axis), _DIMENSION)
            size = dimension.get("dim_value")
            shape.append(None if size is None else signed(size))
        return name, tuple(shape)

    def _node(self, content: memoryview) -> Node:
        node = self._reader.message(content, _NODE)
        attributes: dict[str, Any] = {}
        for _, value in node.get("attribute", []):
            attribute = self._reader.message(_bytes(value), _ATTRIBUTE)
            name = text(attribute.get("name", memoryview(b"")))
            if "ints" in attribute:
                attributes[name] = self._reader.integers(attribute["ints"])
            elif "i" in attribute:
                attributes[name] = signed(attribute["i"])
            elif "s" in attribute:
                attributes[name] = text(attribute["s"])
        return Node(
            operator=text(node.get("op_type", memoryview(b""))),
            domain=text(node.get("domain", memoryview(b""))),
            inputs=tuple(text(value) for _, value in node.get("input", [])),
            outputs=tuple(text(value) for _, value in node.get("output", [])),
            attributes=attributes,
        )


def _bytes(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise WireError("it has a number where a message is expected")
    return value
