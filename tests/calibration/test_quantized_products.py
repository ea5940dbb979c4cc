from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from tests.calibration.toy_calibration import toy_calibration, toy_layer
from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.export.step_graph import step_graph


def test_only_matrix_products_are_quantized_each_with_its_own_pair() -> None:
    calibration = toy_calibration(VARIANTS["attention-rope"], "int8")
    graph = quantize_graph(step_graph(calibration.model), calibration.layers, "int8").graph
    users: Counter[str] = Counter()
    for node in graph.node:
        users.update(node.input)
    products = 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            assert users[node.output[0]] == 1
        if node.op_type == "MatMul" and node.input[1].endswith(".w"):
            assert node.input[0].endswith(".dq")
            products += 1
    layers = len(linear_layers(calibration.model))
    assert products == layers * VARIANTS["attention-rope"].network_passes
    types = Counter(node.op_type for node in graph.node)
    assert types["QuantizeLinear"] == products
    assert types["DequantizeLinear"] == 2 * products


def test_the_runtime_fuses_every_product(tmp_path: Path) -> None:
    calibration = toy_calibration(BASE, "int8")
    path = tmp_path / "step.onnx"
    optimised = tmp_path / "optimised.onnx"
    onnx.save(quantize_graph(step_graph(calibration.model), calibration.layers, "int8"), path)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(optimised)
    options.log_severity_level = 3
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    types = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    products = len(linear_layers(calibration.model)) * BASE.network_passes
    assert types["MatMulIntegerToFloat"] == products
    assert types["DequantizeLinear"] == 0


def test_a_token_of_zeros_rounds_to_zero(tmp_path: Path) -> None:
    """Dividing by a token's own magnitude must not divide by zero."""
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.gate_up_proj"].weight.zero_()
    layer = "layers.0.mlp.down_proj"
    quantization = toy_layer(model, layer, activations="per_token")
    path = tmp_path / "step.onnx"
    onnx.save(quantize_graph(step_graph(model), {layer: quantization}, "int8"), path)
    table = toy_table(BASE)
    assert table is not None
    with OnnxRuntimeBackend(path, BASE) as backend:
        backend.start(1)
        logits = backend.step(toy_tokens(BASE, 1), table[:1], np.ones(1, bool))
    assert np.isfinite(logits.q_halt).all()
