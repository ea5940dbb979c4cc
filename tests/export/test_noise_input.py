"""A step graph with inputs for noise: the graph without, one sum, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.toys import BASE, FAMILY, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.export.step_graph import step_graph
from trm_edge.noise import WINDOWS, noise_table
from trm_edge.step import CarryType, step_inputs

CONSTANTS = {"noise_table", "noise_offsets"}


def without_noise(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Take the nodes, constants and inputs for noise away."""
    (total,) = [node for node in graph.graph.node if node.name == "noise"]
    stripped = onnx.ModelProto()
    stripped.CopyFrom(graph)
    nodes = [node for node in graph.graph.node if not node.name.startswith("noise")]
    for node in nodes:
        for place, name in enumerate(node.input):
            if name == "noise":
                node.input[place] = total.input[0]
    constants = [entry for entry in graph.graph.initializer if entry.name not in CONSTANTS]
    inputs = [entry for entry in graph.graph.input if not entry.name.startswith("noise")]
    for field, entries in (("node", nodes), ("initializer", constants), ("input", inputs)):
        stripped.graph.ClearField(field)
        getattr(stripped.graph, field).extend(entries)
    stripped.metadata_props[0].value = "trm-edge.step/1"
    return stripped


@pytest.mark.parametrize("carry", ["float32", "float16"])
@pytest.mark.parametrize("name", ["mlp", "attention-rope", *FAMILY])
def test_nothing_else_of_the_graph_changes(name: str, carry: CarryType) -> None:
    model = toy_model(VARIANTS[name])
    graph = step_graph(model, carry, noise=True)
    assert [entry.value for entry in graph.metadata_props] == ["trm-edge.step-noise/1"]
    inputs = [entry.name for entry in graph.graph.input]
    assert inputs == [spec.name for spec in step_inputs(VARIANTS[name], carry, noise=True)]
    (total,) = [node for node in graph.graph.node if node.name == "noise"]
    (reset,) = [node for node in graph.graph.node if node.name == total.input[0]]
    assert reset.op_type == "Where"
    assert reset.input[2] == VARIANTS[name].recursion.answer
    plain = step_graph(model, carry)
    # Constants are stored in the order of their first use.
    stripped = without_noise(graph)
    for each in (plain, stripped):
        each.graph.initializer.sort(key=lambda tensor: tensor.name)
    assert stripped.SerializeToString() == plain.SerializeToString()


@pytest.mark.parametrize("carry", ["float32", "float16"])
def test_the_table_is_the_drivers_in_the_type_of_the_carry(carry: CarryType) -> None:
    graph = step_graph(toy_model(BASE), carry, noise=True).graph
    (table,) = [tensor for tensor in graph.initializer if tensor.name == "noise_table"]
    values = numpy_helper.to_array(table)
    count = BASE.carry_len * BASE.hidden_size
    assert values.shape == (WINDOWS + count,)
    np.testing.assert_array_equal(values, noise_table(count).astype(carry))


@pytest.mark.parametrize("carry", ["float32", "float16"])
def test_sigma_0_is_the_graph_without_noise_to_the_last_bit(
    carry: CarryType, tmp_path: Path
) -> None:
    model = toy_model(BASE)
    tokens = toy_tokens(BASE, 3)
    table = toy_table(BASE)
    outputs = []
    for noise in (False, True):
        path = tmp_path / f"{noise}.onnx"
        onnx.save(step_graph(model, carry, noise=noise), path)
        results = []
        with OnnxRuntimeBackend(path, BASE, carry=carry, threads=1, noise=noise) as backend:
            backend.start(3)
            for step in range(3):
                if noise:
                    windows = {"z_H": np.array([0, 7, WINDOWS - 1])}
                    backend.add_noise(np.arange(3), windows, np.zeros(3, np.float32))
                results += [*backend.step(tokens, table, np.array([step == 0, True, step == 0]))]
                results += [*backend.carry(), backend.logits(np.arange(3))]
        outputs.append(results)
    for plain, noisy in zip(*outputs, strict=True):
        np.testing.assert_array_equal(noisy, plain)
