from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper

from tests.calibration.toy_calibration import toy_calibration, toy_layer
from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.grid import BLOCK, round_inputs
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import Activations, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import CalibrationError
from trm_edge.export.step_graph import step_graph


@pytest.mark.parametrize(
    ("qtype", "activations"),
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
@pytest.mark.parametrize("name", ["mlp", "attention-rope", "hrm", "trm-hier6"])
def test_the_graph_equals_fake_quantization_in_pytorch(
    name: str, qtype: QType, activations: Activations, tmp_path: Path
) -> None:
    """The graph computes what its scales imply, over one step with all passes."""
    config = replace(VARIANTS[name], H_cycles=1, L_cycles=1)
    exact_carry = toy_model(config).initial_carry(2)
    calibration = toy_calibration(config, qtype, activations)
    path = tmp_path / "step.onnx"
    onnx.save(quantize_graph(step_graph(calibration.model), calibration.layers, qtype), path)
    model = copy.deepcopy(calibration.model)
    for layer, module in linear_layers(model).items():
        quantization = calibration.layers[layer]
        module.weight.data = quantization.weight
        assert quantization.bias is not None
        module.bias = torch.nn.Parameter(torch.from_numpy(quantization.bias))
        sites = itertools.count()

        def quantize(
            _: object,
            inputs: tuple[torch.Tensor],
            quantization: LayerQuantization = quantization,
            sites: Iterator[int] = sites,
        ) -> torch.Tensor:
            site = next(sites) % len(quantization.amax)
            amax = quantization.amax[site]
            return round_inputs(inputs[0], amax, qtype, quantization.activations)

        module.register_forward_pre_hook(quantize)
    model.requires_grad_(False)
    tokens = toy_tokens(config, 2)
    table = toy_table(config)
    assert table is not None
    expected = model(
        torch.from_numpy(tokens),
        torch.from_numpy(table[:2]),
        torch.ones(2, dtype=torch.bool),
        model.initial_carry(2),
    )
    with OnnxRuntimeBackend(path, config) as backend:
        backend.start(2)
        logits = backend.step(tokens, table[:2], np.ones(2, bool))
        z_H = backend.carry()[0]
    exact = toy_model(config)(
        torch.from_numpy(tokens),
        torch.from_numpy(table[:2]),
        torch.ones(2, dtype=torch.bool),
        exact_carry,
    )
    # A value between two levels may round to either of them, which moves later values by a level,
    # and levels of FP8 lie further apart; that is less than the effect of quantization itself.
    effect = np.abs(exact.carry["z_H"].numpy() - expected.carry["z_H"].numpy()).mean()
    difference = np.abs(z_H - expected.carry["z_H"].numpy()).mean()
    assert effect > 1e-3
    assert difference < (0.5 if qtype == "fp8" else 0.25) * effect
    assert np.isfinite(logits.q_halt).all()


@pytest.mark.parametrize(
    ("qtype", "element"),
    [("int8", TensorProto.INT8), ("fp8", TensorProto.FLOAT8E4M3FN)],
)
def test_weights_are_stored_once_in_eight_bits(qtype: QType, element: int) -> None:
    calibration = toy_calibration(VARIANTS["attention-rope"], qtype)
    graph = quantize_graph(step_graph(calibration.model), calibration.layers, qtype).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for layer, module in linear_layers(calibration.model).items():
        assert constants[layer].data_type == element
        assert len(constants[layer].raw_data) == module.weight.numel()
        assert list(constants[f"{layer}.s"].dims) == [module.weight.shape[0]]
        assert list(constants[f"{layer}.s_in"].dims) == []
    assert len(constants) == len(graph.initializer)
    assert {node.domain for node in graph.node} == {""}


def test_layers_that_are_not_named_stay_in_float() -> None:
    model = toy_model(BASE)
    layer = "layers.0.mlp.down_proj"
    graph = quantize_graph(step_graph(model), {layer: toy_layer(model, layer)}, "int8").graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert types[layer] == TensorProto.INT8
    assert types["layers.1.mlp.down_proj"] == TensorProto.FLOAT


@pytest.mark.parametrize("layer", ["layers.0.mlp.down_proj", "layers.0.mlp_t.gate_up_proj"])
def test_int4_weights_are_packed_with_one_scale_per_block(layer: str) -> None:
    model = toy_model(BASE)
    quantization = toy_layer(model, layer, "int4", "float")
    quantized = quantize_graph(step_graph(model), {layer: quantization}, "int4")
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
    layer = "layers.0.mlp.down_proj"
    quantized = quantize_graph(graph, {layer: toy_layer(model, layer)}, "int8").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in quantized.initializer}
    assert np.isfinite(constants[f"{layer}.s"]).all()
    assert (constants[layer][:, 3] == 0).all()


def test_unknown_layers_and_ranges_without_a_scale_are_refused() -> None:
    model = toy_model(BASE)
    graph = step_graph(model)
    layer = "layers.0.mlp.down_proj"
    with pytest.raises(CalibrationError, match=r"no layer layers\.9\.mlp\.down_proj"):
        quantize_graph(graph, {"layers.9.mlp.down_proj": toy_layer(model, layer)}, "int8")
    for amax in (0.0, float("nan"), float("inf")):
        with pytest.raises(CalibrationError, match="which gives no scale"):
            quantize_graph(graph, {layer: toy_layer(model, layer, amax=amax)}, "int8")
