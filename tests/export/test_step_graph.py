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
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.export.verify import verify_step_graph
from trm_edge.puzzle import Puzzle
from trm_edge.step import step_inputs, step_outputs

SLOTS = 3


def trajectory(backend: Backend, config: ModelConfig) -> list[np.ndarray]:
    """Everything that comes out over all steps, with a slot that starts anew half way."""
    tokens, table = toy_tokens(config, SLOTS), toy_table(config)
    rows = None if table is None else table[np.arange(SLOTS) % len(table)]
    seen: list[np.ndarray] = []
    with backend:
        backend.start(SLOTS)
        for step in range(config.halt_max_steps):
            reset = np.array([step == 0, step in (0, 2), step == 0])
            wait_step = backend.step(tokens, rows, reset)
            seen += [*wait_step, backend.logits(np.arange(SLOTS)), *backend.carry()]
    return seen


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
@pytest.mark.parametrize("name", VARIANTS)
def test_equals_pytorch_over_a_trajectory(
    name: str, emit: Callable[[TinyRecursiveModel], onnx.ModelProto], tmp_path: Path
) -> None:
    config = VARIANTS[name]
    model = toy_model(config)
    path = tmp_path / "step.onnx"
    onnx.save(emit(model), path)
    expected = trajectory(TorchBackend(model), config)
    found = trajectory(OnnxRuntimeBackend(path, config), config)
    for want, got in zip(expected, found, strict=True):
        np.testing.assert_allclose(got, want, atol=2e-4)


@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_half_precision_stays_close_and_keeps_float32_heads(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    model = toy_model(config)
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(model, "float16"), path)
    expected = trajectory(TorchBackend(model), config)
    found = trajectory(OnnxRuntimeBackend(path, config, carry="float16"), config)
    for want, got in zip(expected, found, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, atol=0.05)


def test_a_weight_beyond_half_precision_is_refused() -> None:
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.down_proj"].weight[0, 0] = 1e6
    with pytest.raises(ExportError, match=r"layers\.0\.mlp\.down_proj does not fit into float16"):
        step_graph(model, "float16")


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
@pytest.mark.parametrize("name", VARIANTS)
def test_keeps_the_contract(
    name: str, emit: Callable[[TinyRecursiveModel], onnx.ModelProto]
) -> None:
    config = VARIANTS[name]
    graph = emit(toy_model(config)).graph
    assert [value.name for value in graph.input] == [spec.name for spec in step_inputs(config)]
    assert [value.name for value in graph.output] == [spec.name for spec in step_outputs(config)]
    dynamic = {
        axis.dim_param
        for value in [*graph.input, *graph.output]
        for axis in value.type.tensor_type.shape.dim
        if axis.dim_param
    }
    assert dynamic == {"B"}


@pytest.mark.parametrize("emit", [step_graph, onnxruntime_step_graph])
def test_stores_every_weight_once_and_names_every_node(
    emit: Callable[[TinyRecursiveModel], onnx.ModelProto],
) -> None:
    model = toy_model(VARIANTS["attention-rope"])
    exported = emit(model)
    large = [t for t in exported.graph.initializer if np.prod(t.dims) >= 32 * 32]
    contents = [t.raw_data for t in large]
    assert len(set(contents)) == len(contents)
    stored = sum(np.prod(t.dims) for t in large)
    assert stored <= sum(p.numel() for p in model.parameters())
    names = [node.name for node in exported.graph.node]
    assert len(set(names)) == len(names)
    assert all(names)
    assert exported.opset_import[0].version <= 21


def test_verify_finds_a_changed_weight(tmp_path: Path) -> None:
    model = toy_model(BASE)
    path = tmp_path / "step.onnx"
    onnx.save(step_graph(model), path)
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 2)]
    assert verify_step_graph(path, model, toy_table(BASE), puzzles) < 1e-4
    linear_layers(model)["layers.1.mlp.down_proj"].weight *= 1.5
    with pytest.raises(ExportError, match=r"differs from PyTorch in z_[HL]_next at step 1"):
        verify_step_graph(path, model, toy_table(BASE), puzzles)


@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_onnx_runtimes_graph_has_nothing_between_its_products_that_is_not_fused(name: str) -> None:
    graph = onnxruntime_step_graph(toy_model(VARIANTS[name])).graph
    operators = {node.op_type for node in graph.node}
    assert not operators & {"Split", "Softmax", "Pow", "ReduceMean", "Sqrt", "Sigmoid"}
    assert "SkipSimplifiedLayerNormalization" in operators
    assert ("MultiHeadAttention" in operators) == (name == "attention-rope")
