"""The step graphs against PyTorch, and what every one of them keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.base import Backend
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.config import ModelConfig
from trm_edge.errors import ExportError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.step import step_inputs, step_outputs

SLOTS = 3


def trajectory(backend: Backend, config: ModelConfig) -> list[np.ndarray]:
    """All outputs over all steps; one slot starts a new puzzle half way."""
    tokens = toy_tokens(config, SLOTS)
    table = toy_table(config)
    embedding = None if table is None else table[np.arange(SLOTS) % len(table)]
    outputs: list[np.ndarray] = []
    with backend:
        backend.start(SLOTS)
        for step in range(config.halt_max_steps):
            reset = np.array([step == 0, step in (0, 2), step == 0])
            halting_logits = backend.step(tokens, embedding, reset)
            logits = backend.logits(np.arange(SLOTS))
            outputs += [*halting_logits, logits, *backend.carry()]
    return outputs


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
@pytest.mark.parametrize("name", VARIANTS)
def test_equals_pytorch_over_a_trajectory(
    name: str, emit: Callable[[RecursiveModel], onnx.ModelProto], tmp_path: Path
) -> None:
    config = VARIANTS[name]
    model = toy_model(config)
    path = tmp_path / "step.onnx"
    onnx.save(emit(model), path)
    expected = trajectory(TorchBackend(model), config)
    actual = trajectory(OnnxRuntimeBackend(path, config), config)
    for expected_array, actual_array in zip(expected, actual, strict=True):
        np.testing.assert_allclose(actual_array, expected_array, atol=2e-4)


@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_half_precision_stays_close_and_keeps_float32_heads(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    model = toy_model(config)
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(model, "float16"), path)
    expected = trajectory(TorchBackend(model), config)
    actual = trajectory(OnnxRuntimeBackend(path, config, carry="float16"), config)
    for expected_array, actual_array in zip(expected, actual, strict=True):
        assert actual_array.dtype == np.float32
        np.testing.assert_allclose(actual_array, expected_array, atol=0.05)


def test_a_weight_beyond_half_precision_is_refused() -> None:
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.down_proj"].weight[0, 0] = 1e6
    with pytest.raises(ExportError, match=r"layers\.0\.mlp\.down_proj does not fit into float16"):
        step_graph(model, "float16")


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
@pytest.mark.parametrize("name", VARIANTS)
def test_keeps_the_contract(name: str, emit: Callable[[RecursiveModel], onnx.ModelProto]) -> None:
    config = VARIANTS[name]
    graph = emit(toy_model(config)).graph
    assert [value.name for value in graph.input] == [spec.name for spec in step_inputs(config)]
    assert [value.name for value in graph.output] == [spec.name for spec in step_outputs(config)]
    dynamic = set()
    for value in [*graph.input, *graph.output]:
        for axis in value.type.tensor_type.shape.dim:
            dynamic.add(axis.dim_param)
    assert dynamic - {""} == {"B"}


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
def test_stores_every_weight_once_and_names_every_node(
    emit: Callable[[RecursiveModel], onnx.ModelProto],
) -> None:
    model = toy_model(VARIANTS["attention-rope"])
    exported = emit(model)
    large = [tensor for tensor in exported.graph.initializer if np.prod(tensor.dims) >= 32 * 32]
    contents = [tensor.raw_data for tensor in large]
    assert len(set(contents)) == len(contents)
    stored = sum(np.prod(tensor.dims) for tensor in large)
    assert stored <= sum(p.numel() for p in model.parameters())
    names = [node.name for node in exported.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
    assert exported.opset_import[0].version <= 21
