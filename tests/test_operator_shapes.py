"""Shape rules of operators, against ONNX's own."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import TensorProto, helper, shape_inference

from trm_edge.operator_call import Node, OperatorCall, ShapeError, axis_index
from trm_edge.operator_shapes import shape_rule

Shape = tuple[int, ...]
# Operator, shapes of its tensors, its constants by input, its attributes, number of results.
RULES: list[tuple[str, list[Shape], dict[int, list[int]], dict[str, Any], int]] = [
    ("Add", [(2, 3, 4), (3, 1)], {}, {}, 1),
    ("Where", [(2, 1), (3,), (2, 3)], {}, {}, 1),
    ("Sigmoid", [(2, 3)], {}, {}, 1),
    ("MatMul", [(2, 5, 3), (3, 7)], {}, {}, 1),
    ("Gemm", [(3, 2), (5, 3), (5,)], {}, {"transA": 1, "transB": 1}, 1),
    ("Transpose", [(2, 3, 4)], {}, {"perm": [2, 0, 1]}, 1),
    ("Transpose", [(2, 3, 4)], {}, {}, 1),
    ("Reshape", [(2, 3, 4)], {1: [0, -1]}, {}, 1),
    ("Concat", [(2, 3), (2, 4)], {}, {"axis": -1}, 1),
    ("Split", [(2, 7)], {1: [3, 4]}, {"axis": 1}, 2),
    ("Split", [(6, 2)], {}, {"axis": 0, "num_outputs": 3}, 3),
    ("Slice", [(9, 8)], {1: [1, -3], 2: [9, 8], 3: [0, 1], 4: [2, 1]}, {}, 1),
    ("Pad", [(2, 3)], {1: [1, 2], 3: [1]}, {}, 1),
    ("Gather", [(5, 4, 3), (2, 2)], {}, {"axis": 1}, 1),
    ("Unsqueeze", [(3, 4)], {1: [0, -1]}, {}, 1),
    ("ReduceMax", [(2, 3, 4)], {1: [-1]}, {"keepdims": 0}, 1),
    ("ReduceMean", [(2, 3, 4)], {1: [1]}, {}, 1),
]
INDEX_INPUTS = {("Gather", 1)}
BOOL_INPUTS = {("Where", 0)}


def call_of(
    operator: str,
    shapes: list[Shape],
    constants: dict[int, list[int]],
    attributes: dict[str, Any],
    results: int = 1,
) -> OperatorCall:
    count = max(len(shapes), *(index + 1 for index in constants), 1)
    names = []
    for index in range(count):
        is_there = index < len(shapes) or index in constants
        names.append(f"input{index}" if is_there else "")
    input_shapes: list[Shape] = []
    for index in range(count):
        constant = constants.get(index)
        if constant is not None:
            input_shapes.append((len(constant),))
        else:
            input_shapes.append(shapes[index] if index < len(shapes) else ())
    outputs = tuple(f"output{index}" for index in range(results))
    integers = tuple(constants.get(index) for index in range(count))
    node = Node(operator, "", tuple(names), outputs, attributes)
    return OperatorCall(node, tuple(input_shapes), integers)


def inferred(call: OperatorCall) -> list[Shape]:
    """The shapes of the results by ONNX."""
    inputs = []
    constants = []
    for index, name in enumerate(call.node.inputs):
        values = call.integers[index]
        if values is not None:
            constants.append(helper.make_tensor(name, TensorProto.INT64, [len(values)], values))
        elif name:
            element = TensorProto.FLOAT
            if (call.node.operator, index) in INDEX_INPUTS:
                element = TensorProto.INT64
            if (call.node.operator, index) in BOOL_INPUTS:
                element = TensorProto.BOOL
            inputs.append(helper.make_tensor_value_info(name, element, call.shapes[index]))
    node = helper.make_node(
        call.node.operator, call.node.inputs, call.node.outputs, **call.node.attributes
    )
    graph = helper.make_graph([node], "one operator", inputs, [], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    shapes = {}
    for value in shape_inference.infer_shapes(model, strict_mode=True).graph.value_info:
        axes = value.type.tensor_type.shape.dim
        shapes[value.name] = tuple(axis.dim_value for axis in axes)
    return [shapes[name] for name in call.node.outputs]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[0])
def test_rules_are_those_of_onnx(
    rule: tuple[str, list[Shape], dict[int, list[int]], dict[str, Any], int],
) -> None:
    call = call_of(*rule)
    assert list(shape_rule(call.node)(call).shapes) == inferred(call)


def test_an_operator_without_a_rule_is_refused() -> None:
    call = call_of("Loop", [(1,)], {}, {})
    with pytest.raises(ShapeError, match="'Loop', which no export of trm-edge uses"):
        shape_rule(call.node)


def test_a_product_is_counted() -> None:
    call = call_of("MatMul", [(2, 5, 3), (3, 7)], {}, {})
    assert shape_rule(call.node)(call).operations == 2 * 5 * 3 * 7


def test_what_decides_a_shape_must_be_a_constant() -> None:
    call = call_of("Reshape", [(2, 3), (2,)], {}, {})
    with pytest.raises(ShapeError, match="its shape depends on 'input1', not a constant"):
        shape_rule(call.node)(call)


def test_axes_are_counted_from_either_end() -> None:
    assert [axis_index(axis, 3) for axis in (0, 2, -1, -3)] == [0, 2, 2, 0]
    with pytest.raises(ShapeError, match="axis 3 of 3"):
        axis_index(3, 3)
