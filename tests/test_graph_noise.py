"""A graph with noise must not look up anything beyond its noise table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.toys import BASE, VARIANTS, toy_model
from trm_edge.errors import BackendError
from trm_edge.export.step_graph import step_graph
from trm_edge.graph_guard import check_graph

Change = Callable[[onnx.ModelProto], None]
COUNT = BASE.carry_len * BASE.hidden_size


@pytest.fixture(scope="module")
def content() -> bytes:
    serialized: bytes = step_graph(toy_model(BASE), noise=True).SerializeToString()
    return serialized


def replace_constant(model: onnx.ModelProto, name: str, change: Callable[..., object]) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            values = np.asarray(change(numpy_helper.to_array(tensor)))
            tensor.CopyFrom(numpy_helper.from_array(values, name))


def short_table(model: onnx.ModelProto) -> None:
    replace_constant(model, "noise_table", lambda values: values[:1000])


def far_offsets(model: onnx.ModelProto) -> None:
    replace_constant(model, "noise_offsets", lambda values: values + np.int32(2**30))


def negative_offsets(model: onnx.ModelProto) -> None:
    replace_constant(model, "noise_offsets", lambda values: values - np.int32(COUNT))


def offsets_added_twice(model: onnx.ModelProto) -> None:
    (gather,) = [node for node in model.graph.node if node.name == "noise.values"]
    add = helper.make_node("Add", ["noise.places", "noise_offsets"], ["farther"])
    place = list(model.graph.node).index(gather)
    model.graph.node.insert(place, add)
    (gather,) = [node for node in model.graph.node if node.name == "noise.values"]
    gather.input[1] = "farther"


def another_table(model: onnx.ModelProto) -> None:
    (gather,) = [node for node in model.graph.node if node.name == "noise.values"]
    gather.input[0] = BASE.recursion.initial["z_H"]


def another_use(model: onnx.ModelProto) -> None:
    node = helper.make_node("Mul", ["noise_window", "noise_window"], ["square"])
    model.graph.node.append(node)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (short_table, r"its constant noise_table must have \d+ values, but it has the shape \(1"),
        (far_offsets, f"noise_offsets must range from 0 to {COUNT - 1}, but ranges over"),
        (negative_offsets, f"noise_offsets must range from 0 to {COUNT - 1}, but ranges over"),
        (offsets_added_twice, "its Add takes 'noise_window'"),
        (another_table, "its Gather takes 'noise_window', which may only look up noise_table"),
        (another_use, "its Mul takes 'noise_window'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_look_up_beyond_the_table_is_refused(change: Change, reason: str, content: bytes) -> None:
    model = onnx.load_from_string(content)
    change(model)
    with pytest.raises(BackendError, match=reason):
        check_graph(model.SerializeToString(), BASE, "float32", "step.onnx", noise=True)


@pytest.mark.parametrize("name", VARIANTS)
def test_exported_graphs_pass(name: str) -> None:
    graph = step_graph(toy_model(VARIANTS[name]), "float16", noise=True)
    check_graph(graph.SerializeToString(), VARIANTS[name], "float16", "step.onnx", noise=True)


def test_a_graph_has_the_inputs_that_the_manifest_says(content: bytes) -> None:
    with pytest.raises(BackendError, match=r"but found tokens .*; noise_window \(B\)"):
        check_graph(content, BASE, "float32", "step.onnx")
    plain = step_graph(toy_model(BASE)).SerializeToString()
    with pytest.raises(BackendError, match=r"expected tokens .*noise_sigma \(B\), but found"):
        check_graph(plain, BASE, "float32", "step.onnx", noise=True)


def test_constants_of_noise_that_are_missing_are_named() -> None:
    model = step_graph(toy_model(BASE))
    for name, kind in (("noise_window", onnx.TensorProto.INT32), ("noise_sigma", 1)):
        model.graph.input.append(helper.make_tensor_value_info(name, kind, ["B"]))
    with pytest.raises(BackendError, match=r"noise_table must have .* but there is no such one"):
        check_graph(model.SerializeToString(), BASE, "float32", "step.onnx", noise=True)
