"""Graphs that ask for too much are refused before ONNX Runtime sees them; exported ones pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from trm_edge import graph_guard, graph_reader
from trm_edge.bundle import Bundle
from trm_edge.errors import BackendError
from trm_edge.graph_guard import check_graph

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def bundle(old_bundles: Path) -> Bundle:
    return Bundle.open(old_bundles / "toy-int8")


def integers(model: onnx.ModelProto, name: str, values: list[int]) -> None:
    array = np.array(values, np.int64)
    model.graph.initializer.append(numpy_helper.from_array(array, name))


def append(model: onnx.ModelProto, operator: str, inputs: list[str], output: str) -> None:
    model.graph.node.append(helper.make_node(operator, inputs, [output]))


def doubled(model: onnx.ModelProto) -> None:
    """A value, concatenated with itself forty times."""
    name = "logits"
    for number in range(40):
        node = helper.make_node("Concat", [name, name], [f"double{number}"], axis=1)
        model.graph.node.append(node)
        name = f"double{number}"


def padded(model: onnx.ModelProto) -> None:
    integers(model, "widths", [0, 0, 0, 0, 0, 10**12])
    append(model, "Pad", ["logits", "widths"], "wide")


def outer_product(model: onnx.ModelProto) -> None:
    integers(model, "row", [1, 1, -1])
    integers(model, "column", [1, -1, 1])
    integers(model, "large", [0, 0, 0, 0, 20_000, 0])
    append(model, "Pad", ["logits", "large"], "long")
    append(model, "Reshape", ["long", "column"], "a_column")
    append(model, "Reshape", ["long", "row"], "a_row")
    append(model, "MatMul", ["a_column", "a_row"], "huge")


def square_of_the_slots(model: onnx.ModelProto) -> None:
    integers(model, "front", [0])
    integers(model, "back", [1])
    append(model, "Unsqueeze", ["q_halt", "front"], "a_row")
    append(model, "Unsqueeze", ["q_halt", "back"], "a_column")
    append(model, "Add", ["a_row", "a_column"], "square")


def many_values_at_once(model: onnx.ModelProto) -> None:
    integers(model, "large", [0, 0, 0, 0, 2_000_000, 0])
    names = []
    for number in range(40):
        names.append(f"copy{number}")
        append(model, "Pad", ["logits", "large"], names[-1])
    append(model, "Max", names, "most")


def endless(model: onnx.ModelProto) -> None:
    integers(model, "shape", [1, 8192, 8192])
    integers(model, "widths", [0, 0, 0, 0, 0, 8192 * 8192 - 63])
    integers(model, "flat", [1, 1, 63])
    append(model, "Reshape", ["logits", "flat"], "flattened")
    append(model, "Pad", ["flattened", "widths"], "wide")
    append(model, "Reshape", ["wide", "shape"], "p0")
    for number in range(4):
        append(model, "MatMul", [f"p{number}", f"p{number}"], f"p{number + 1}")


def computed_shape(model: onnx.ModelProto) -> None:
    append(model, "Cast", ["tokens"], "shape")
    append(model, "Reshape", ["logits", "shape"], "reshaped")


def branches(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    node = helper.make_node("If", ["reset"], ["x"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


def function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 19)]
    model.functions.append(helper.make_function("evil", "F", ["x"], ["y"], [node], opset))


def custom_operators(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("evil", 1))


def cycle(model: onnx.ModelProto) -> None:
    append(model, "Add", ["later", "q_halt"], "earlier")
    append(model, "Identity", ["earlier"], "later")


def other_result(model: onnx.ModelProto) -> None:
    """Declared as the contract has it, computed otherwise."""
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "q_halt":
                node.output[place] = "honest"
    integers(model, "axis", [0])
    append(model, "ReduceMax", ["honest", "axis"], "q_halt")


def text_data(model: onnx.ModelProto) -> None:
    tensor = helper.make_tensor("typed", TensorProto.INT64, [1], [1])
    model.graph.initializer.append(tensor)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (doubled, "has the shape"),
        (padded, "has the shape"),
        (outer_product, "has the shape"),
        (square_of_the_slots, "'square' grows faster than the number of slots"),
        (many_values_at_once, "numbers at the same time"),
        (endless, "a step takes"),
        (computed_shape, "its shape depends on 'shape', not a constant"),
        (branches, "a field 6 that no step graph needs"),
        (function, "a field 25 that no step graph needs"),
        (custom_operators, "it imports the operators of 'evil'"),
        (cycle, "takes 'later', which nothing before it computes"),
        (other_result, r"its result q_halt must be \(2,\) for 2 slots"),
        (text_data, "a field 7 that no step graph needs"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_asks_for_too_much_is_refused(change: Change, reason: str, bundle: Bundle) -> None:
    model = onnx.load_from_string(bundle.read("cpu/step.onnx"))
    change(model)
    with pytest.raises(BackendError, match=reason):
        check_graph(model.SerializeToString(), bundle.config, "float32", "step.onnx")


@pytest.mark.parametrize("name", ["toy-fp32", "toy-int8"])
def test_exported_graphs_pass(name: str, old_bundles: Path) -> None:
    opened = Bundle.open(old_bundles / name)
    steps = {(target.step, target.carry) for target in opened.manifest.targets.values()}
    for step, carry in steps:
        check_graph(opened.read(step), opened.config, carry, step)


def test_limits_of_the_file(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bundle.read("cpu/step.onnx")
    with pytest.raises(BackendError, match="it is cut off"):
        check_graph(content[:-1], bundle.config, "float32", "step.onnx")
    with pytest.raises(BackendError, match="too many fields"):
        check_graph(content + b"\x10\x01" * 2_000_000, bundle.config, "float32", "step.onnx")
    monkeypatch.setattr(graph_reader, "MAX_NODES", 3)
    with pytest.raises(BackendError, match=r"entries of node, and at most 3 are read"):
        check_graph(content, bundle.config, "float32", "step.onnx")
    monkeypatch.setattr(graph_guard, "MAX_GRAPH_BYTES", 100)
    with pytest.raises(BackendError, match="and at most 100 are read"):
        check_graph(content, bundle.config, "float32", "step.onnx")


def test_the_graph_of_another_model_is_refused(old_bundles: Path, bundle: Bundle) -> None:
    other = Bundle.open(old_bundles / "toy-fp32")
    with pytest.raises(BackendError, match=r"in its inputs: expected tokens .*, but found tokens"):
        check_graph(other.read("cpu/step.onnx"), bundle.config, "float32", "step.onnx")
