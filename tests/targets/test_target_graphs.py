"""The step graph of each target, from one calibration."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.config import ModelConfig
from trm_edge.errors import CalibrationError
from trm_edge.profile import Int8Ranges, Precision, TargetProfile
from trm_edge.puzzle import Puzzle
from trm_edge.step import CarryType
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

CPU = load_profile("cpu")
ORIN = load_profile("jetson-orin-nano")
H100 = load_profile("h100")
STATIC_ORIN = replace(ORIN, int8_ranges="per_layer")
PUZZLES = [Puzzle(tokens) for tokens in toy_tokens(BASE, 8)]


def graph_inputs(precision: Precision = "int8", variant: str = "mlp") -> GraphInputs:
    """Calibrate a toy with static ranges, which every target can use; do not change it."""
    return _calibrated(precision, variant)


@cache
def _calibrated(precision: Precision, variant: str) -> GraphInputs:
    config = VARIANTS[variant]
    qtype: QType = "fp8" if precision == "fp8" else "int8"
    # Entropy ranges would take ModelOpt seconds for each layer.
    recipe = replace(CalibrationRecipe.static(qtype), puzzles=4, method="max")
    calibration = calibrate(toy_model(config), toy_table(config), PUZZLES, qtype, recipe)
    return GraphInputs(calibration.model, precision, qtype, calibration.layers)


@pytest.mark.parametrize("activations", ["per_token", "per_token_products", "per_layer"])
def test_a_recipe_s_rounding_replaces_the_target_s_own(activations: Int8Ranges) -> None:
    inputs = graph_inputs()
    expected = target_graph(inputs, replace(CPU, int8_ranges=activations))
    assert target_graph(replace(inputs, activations=activations), CPU) == expected
    own = target_graph(inputs, CPU)
    assert (own == expected) == (activations == CPU.int8_ranges)


def operators(graph: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in graph.graph.node}


def int8_weights(graph: onnx.ModelProto) -> dict[str, NDArray[np.int8]]:
    weights = {}
    for tensor in graph.graph.initializer:
        if tensor.name.startswith("layers.") and tensor.data_type == TensorProto.INT8:
            weights[tensor.name] = numpy_helper.to_array(tensor)
    return weights


def first_carry(
    path: Path, config: ModelConfig, carry: CarryType, slots: int = 4
) -> NDArray[np.float32]:
    """z_H and z_L after the first step, flat."""
    table = toy_table(config)
    assert table is not None
    identifiers = np.zeros(slots, int)
    with OnnxRuntimeBackend(path, config, carry=carry) as backend:
        backend.start(slots)
        backend.step(toy_tokens(config, slots), table[identifiers], np.ones(slots, bool))
        return np.concatenate([state.ravel() for state in backend.carry()])


def test_targets_share_the_weights_of_one_calibration() -> None:
    inputs = graph_inputs()
    cpu = target_graph(inputs, CPU)
    gpu = target_graph(inputs, ORIN)
    assert int8_weights(gpu).keys() == int8_weights(target_graph(inputs, STATIC_ORIN)).keys()
    cpu_weights = int8_weights(cpu)
    gpu_weights = int8_weights(gpu)
    assert len(gpu_weights) == 8
    for name, codes in gpu_weights.items():  # on the CPU gate and up are two matrices
        parts = [array for part, array in cpu_weights.items() if part.startswith(name)]
        assert np.array_equal(np.concatenate(parts, axis=1), codes)


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_a_gpu_computes_and_scales_in_float16(
    precision: Precision, variant: str, tmp_path: Path
) -> None:
    inputs = graph_inputs(precision, variant)
    graph = target_graph(inputs, H100)
    scales = [tensor for tensor in graph.graph.initializer if re.search(r"\.s(_in)?$", tensor.name)]
    assert scales
    assert {tensor.data_type for tensor in scales} == {TensorProto.FLOAT16}
    float32_graph = target_graph(inputs, replace(H100, carry="float32"))
    float32_scales = {tensor.name: tensor for tensor in float32_graph.graph.initializer}
    for tensor in scales:
        if tensor.name.endswith(".s_in"):
            continue
        actual = numpy_helper.to_array(tensor).astype(np.float32)
        expected = numpy_helper.to_array(float32_scales[tensor.name])
        np.testing.assert_allclose(actual, expected, rtol=1e-3)
    # It runs, and its first step is near that of the same quantization in float32.
    config = VARIANTS[variant]
    half_path = tmp_path / "float16.onnx"
    full_path = tmp_path / "float32.onnx"
    onnx.save(graph, half_path)
    onnx.save(float32_graph, full_path)
    half = first_carry(half_path, config, "float16")
    full = first_carry(full_path, config, "float32")
    cosine = float(half @ full / np.linalg.norm(half) / np.linalg.norm(full))
    assert cosine > 0.99


@pytest.mark.parametrize("profile", [CPU, ORIN], ids=lambda profile: profile.name)
@pytest.mark.parametrize(
    ("precision", "element_type"),
    [("fp32", TensorProto.FLOAT), ("fp16", TensorProto.FLOAT16)],
)
def test_float_precisions_are_the_same_on_every_target(
    precision: Precision, element_type: int, profile: TargetProfile
) -> None:
    inputs = GraphInputs(toy_model(BASE), precision, None, {})
    graph = target_graph(inputs, profile)
    element_types = {tensor.name: tensor.data_type for tensor in graph.graph.initializer}
    assert element_types["layers.0.mlp.down_proj"] == element_type


def test_a_scale_that_float16_cannot_hold_is_refused() -> None:
    inputs = graph_inputs()
    name = "layers.0.mlp.down_proj"
    layer = inputs.layers[name]
    tiny = replace(
        layer, weight=layer.weight * 1e-7, weight_scales=layer.weight_scales * np.float32(1e-7)
    )
    changed = replace(inputs, layers={**inputs.layers, name: tiny})
    with pytest.raises(CalibrationError, match=r"down_proj has scales .* do not fit into float16"):
        target_graph(changed, ORIN)


def test_a_profile_can_have_every_range_from_calibration() -> None:
    graph = target_graph(graph_inputs(), STATIC_ORIN)
    assert "ReduceMax" not in operators(graph)


@pytest.mark.parametrize("profile", [CPU, ORIN], ids=lambda profile: profile.name)
@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_normalised_inputs_have_a_static_range(variant: str, profile: TargetProfile) -> None:
    graph = target_graph(graph_inputs(variant=variant), profile).graph
    dynamic = set()
    quantizers = 0
    for node in graph.node:
        if node.op_type == "ReduceMax":
            dynamic.add(node.name.removesuffix(".max"))
        if node.op_type == "QuantizeLinear":
            quantizers += 1
    assert {name.rpartition(".")[2] for name in dynamic} <= {"down", "out"}
    passes = BASE.H_cycles * (BASE.L_cycles + 1) * BASE.L_layers
    assert len(dynamic) == 2 * passes  # of each block's four or so matrices, two
    assert quantizers == 4 * passes  # parts of one matrix share their quantized input


@pytest.mark.parametrize("variant", ["mlp", "attention-rope"])
def test_onnx_runtime_computes_every_product_of_a_cpus_graph_in_integers(
    variant: str, tmp_path: Path
) -> None:
    import onnxruntime as ort

    graph = target_graph(graph_inputs(variant=variant), CPU)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fused = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    products = sum(node.op_type == "MatMul" for node in graph.graph.node) - 1  # the head's
    assert fused.count("MatMulIntegerToFloat") == products
    assert "DequantizeLinear" not in fused
