from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, numpy_helper

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import Calibration, calibrate
from trm_edge.calibration.grid import BLOCK, round_inputs, round_weight, weight_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import encode, quantize_graph
from trm_edge.calibration.recipe import Activations, CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.step_graph import step_graph
from trm_edge.puzzle import Puzzle


def ready(
    config: ModelConfig, precision: QType, activations: Activations = "per_layer"
) -> Calibration:
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 4)]
    recipe = CalibrationRecipe(puzzles=4, activations=activations, bias_correction=True)
    return calibrate(toy_model(config), toy_table(config), puzzles, precision, recipe)


@pytest.mark.parametrize(
    ("precision", "activations"),
    [
        ("int8", "per_layer"),
        ("int8", "per_call_site"),
        ("int8", "per_token"),
        ("int8", "float"),
        ("fp8", "per_layer"),
        ("fp8", "per_token"),
        ("int4", "float"),
    ],
)
@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_equals_fake_quantization_in_pytorch(
    name: str, precision: QType, activations: Activations, tmp_path: Path
) -> None:
    """The graph computes what its scales say, over one step of every pass."""
    config = replace(VARIANTS[name], H_cycles=1, L_cycles=1)
    exact_carry = toy_model(config).initial_carry(2)
    calibration = ready(config, precision, activations)
    path = tmp_path / "step.onnx"
    onnx.save(quantize_graph(step_graph(calibration.model), calibration.layers, precision), path)
    model = copy.deepcopy(calibration.model)
    for layer, module in linear_layers(model).items():
        how = calibration.layers[layer]
        module.weight.data = how.weight
        assert how.bias is not None
        module.bias = torch.nn.Parameter(torch.from_numpy(how.bias))
        sites = itertools.count()

        def quantize(
            _: object,
            inputs: tuple[torch.Tensor],
            how: LayerQuantization = how,
            sites: Iterator[int] = sites,
        ) -> torch.Tensor:
            return round_inputs(inputs[0], how.amax_at(next(sites)), precision, how.activations)

        module.register_forward_pre_hook(quantize)
    model.requires_grad_(False)
    tokens, table = toy_tokens(config, 2), toy_table(config)
    assert table is not None
    expected = model(
        torch.from_numpy(tokens),
        torch.from_numpy(table[:2]),
        torch.ones(2, dtype=torch.bool),
        model.initial_carry(2),
    )
    with OnnxRuntimeBackend(path, config) as backend:
        backend.start(2)
        wait_step = backend.step(tokens, table[:2], np.ones(2, bool))
        z_H, _ = backend.carry()
    exact = toy_model(config)(
        torch.from_numpy(tokens),
        torch.from_numpy(table[:2]),
        torch.ones(2, dtype=torch.bool),
        exact_carry,
    )
    # A value on the border between two levels may fall either way, which moves what follows by a
    # level; that is far less than what quantization itself does.
    done = np.abs(exact.carry.z_H.numpy() - expected.carry.z_H.numpy()).mean()
    apart = np.abs(z_H - expected.carry.z_H.numpy()).mean()
    assert done > 1e-3
    assert apart < 0.2 * done
    assert np.isfinite(wait_step.q_halt).all()


@pytest.mark.parametrize(
    ("precision", "element"),
    [("int8", TensorProto.INT8), ("fp8", TensorProto.FLOAT8E4M3FN)],
)
def test_weights_are_stored_once_in_eight_bits(precision: QType, element: int) -> None:
    calibration = ready(VARIANTS["attention-rope"], precision)
    graph = quantize_graph(step_graph(calibration.model), calibration.layers, precision).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for layer, module in linear_layers(calibration.model).items():
        assert constants[layer].data_type == element
        assert len(constants[layer].raw_data) == module.weight.numel()
        assert list(constants[f"{layer}.s"].dims) == [module.weight.shape[0]]
        assert list(constants[f"{layer}.s_in"].dims) == []
    assert len(constants) == len(graph.initializer)
    assert {node.domain for node in graph.node} == {""}


def test_only_matrix_products_are_quantized_each_with_its_own_pair() -> None:
    calibration = ready(VARIANTS["attention-rope"], "int8")
    graph = quantize_graph(step_graph(calibration.model), calibration.layers, "int8").graph
    users = Counter(name for node in graph.node for name in node.input)
    products = 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            assert users[node.output[0]] == 1
        if node.op_type == "MatMul" and node.input[1].endswith(".w"):
            assert node.input[0].endswith(".dq")
            products += 1
    layers = len(linear_layers(calibration.model))
    assert products == layers * VARIANTS["attention-rope"].network_passes
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["QuantizeLinear"] == products
    assert kinds["DequantizeLinear"] == 2 * products


def test_the_runtime_fuses_every_product(tmp_path: Path) -> None:
    calibration = ready(BASE, "int8")
    path, optimised = tmp_path / "step.onnx", tmp_path / "optimised.onnx"
    onnx.save(quantize_graph(step_graph(calibration.model), calibration.layers, "int8"), path)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 3
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    products = len(linear_layers(calibration.model)) * BASE.network_passes
    assert kinds["MatMulIntegerToFloat"] == products
    assert kinds["DequantizeLinear"] == 0


def layer_of(
    model: TinyRecursiveModel,
    layer: str,
    qtype: QType = "int8",
    activations: Activations = "per_layer",
    amax: float = 1.0,
) -> LayerQuantization:
    weight = linear_layers(model)[layer].weight.detach()
    scales = weight_scales(weight, qtype)
    rounded = round_weight(weight, scales, qtype)
    channels = torch.ones(weight.shape[1])
    return LayerQuantization(activations, (amax,), rounded, scales.numpy(), 0.0, channels)


def test_layers_that_are_not_named_stay_in_float() -> None:
    model = toy_model(BASE)
    one = "layers.0.mlp.down_proj"
    graph = quantize_graph(step_graph(model), {one: layer_of(model, one)}, "int8").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert kinds[one] == TensorProto.INT8
    assert kinds["layers.1.mlp.down_proj"] == TensorProto.FLOAT


def test_a_row_of_zeros_gives_zero_per_token(tmp_path: Path) -> None:
    """Dividing by a row's own magnitude must not divide by zero."""
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.gate_up_proj"].weight.zero_()
    one = "layers.0.mlp.down_proj"
    how = layer_of(model, one, activations="per_token")
    path = tmp_path / "step.onnx"
    onnx.save(quantize_graph(step_graph(model), {one: how}, "int8"), path)
    table = toy_table(BASE)
    assert table is not None
    with OnnxRuntimeBackend(path, BASE) as backend:
        backend.start(1)
        wait_step = backend.step(toy_tokens(BASE, 1), table[:1], np.ones(1, bool))
    assert np.isfinite(wait_step.q_halt).all()


def test_encoding_saturates_and_rounds_to_even() -> None:
    how = layer_of(toy_model(BASE), "layers.0.mlp.down_proj")
    row = torch.tensor([[0.5, 1.5, -200.0, 300.0]])
    how = replace(how, weight=row, weight_scales=np.ones((1, 1), np.float32))
    assert encode(how, "int8").tolist() == [[0, 2, -127, 127]]
    assert encode(how, "int4").astype(np.int32).tolist() == [[0, 2, -7, 7]]
    codes = encode(replace(how, weight=torch.tensor([[500.0, -1.0]])), "fp8")
    assert codes.astype(np.float32).tolist() == [[448.0, -1.0]]


@pytest.mark.parametrize("layer", ["layers.0.mlp.down_proj", "layers.0.mlp_t.gate_up_proj"])
def test_int4_weights_are_packed_with_one_scale_a_block(layer: str) -> None:
    model = toy_model(BASE)
    how = layer_of(model, layer, "int4", "float")
    quantized = quantize_graph(step_graph(model), {layer: how}, "int4")
    assert quantized.opset_import[0].version == 21
    constants = {tensor.name: tensor for tensor in quantized.graph.initializer}
    rows, columns = linear_layers(model)[layer].weight.T.shape
    assert constants[layer].data_type == TensorProto.INT4
    assert len(constants[layer].raw_data) == (rows * columns + 1) // 2
    assert list(constants[f"{layer}.s"].dims) == [-(-rows // BLOCK), columns]


def test_an_output_that_is_always_zero_stays_zero() -> None:
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.down_proj"].weight.data[3] = 0
    graph = step_graph(model)
    one = "layers.0.mlp.down_proj"
    quantized = quantize_graph(graph, {one: layer_of(model, one)}, "int8").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.initializer}
    assert np.isfinite(constants["layers.0.mlp.down_proj.s"]).all()
    assert (constants["layers.0.mlp.down_proj"][:, 3] == 0).all()


def test_ranges_that_are_none() -> None:
    model = toy_model(BASE)
    graph, one = step_graph(model), "layers.0.mlp.down_proj"
    with pytest.raises(CalibrationError, match=r"no layer layers\.9\.mlp\.down_proj"):
        quantize_graph(graph, {"layers.9.mlp.down_proj": layer_of(model, one)}, "int8")
    for bad in (0.0, float("nan"), float("inf")):
        with pytest.raises(CalibrationError, match="which gives no scale"):
            quantize_graph(graph, {one: layer_of(model, one, amax=bad)}, "int8")
