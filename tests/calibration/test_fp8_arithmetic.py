"""E4M3 rounding in float32 arithmetic has the same bits as ONNX's own pair of nodes."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.calibration.toy_calibration import toy_calibration
from tests.toys import VARIANTS, toy_tokens
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.export.step_graph import step_graph


def qdq_pair(scale: float) -> onnx.ModelProto:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(scale), "scale"),
        numpy_helper.from_array(np.zeros((), ml_dtypes.float8_e4m3fn), "zero"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph(nodes, "pair", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def run(model: onnx.ModelProto, **feeds: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    results: list[NDArray[np.float32]] = session.run(None, feeds)
    return results


@pytest.mark.parametrize("scale", [1.0, 0.0073, 31.7, 2.0**-20])
def test_every_value_rounds_to_the_same_bits(scale: float) -> None:
    codes = np.arange(127, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    ties = (codes[1:] + codes[:-1]) / 2
    edges = np.concatenate([codes, ties, [448.0, 464.0, 465.0, 1e9]]).astype(np.float32)
    below = np.nextafter(edges, np.float32(-1e38))
    above = np.nextafter(edges, np.float32(1e38))
    rng = np.random.default_rng(0)
    spread = rng.normal(size=200_000) * np.exp(rng.normal(size=200_000) * 4)
    values = np.concatenate([edges, below, above, spread]).astype(np.float32)
    x = np.concatenate([values, -values]) * np.float32(scale)
    pair = qdq_pair(scale)
    expected = run(pair, x=x)[0]
    actual = run(fp8_in_float32(pair), x=x)[0]
    np.testing.assert_array_equal(actual, expected)


def test_nan_stays_nan() -> None:
    graph = fp8_in_float32(qdq_pair(1.0))
    assert np.isnan(run(graph, x=np.array([np.nan], np.float32))[0]).all()


def cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    product = np.vdot(left, right)
    return float(product / (np.linalg.norm(left) * np.linalg.norm(right)))


@pytest.mark.parametrize("name", ["attention-rope", "mlp"])
def test_a_step_computes_the_same_and_stays_small(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    calibration = toy_calibration(config, "fp8")
    slow = quantize_graph(step_graph(calibration.model), calibration.layers, "fp8")
    fast = fp8_in_float32(slow)
    assert not any(node.op_type == "QuantizeLinear" for node in fast.graph.node)
    assert len(fast.SerializeToString()) < 2 * len(slow.SerializeToString())
    shape = (3, config.carry_len, config.hidden_size)
    feeds = {
        "tokens": toy_tokens(config, 3).astype(np.int32),
        "reset": np.array([True, False, False]),
        "z_H": np.random.default_rng(1).normal(size=shape).astype(np.float32),
        "z_L": np.random.default_rng(2).normal(size=shape).astype(np.float32),
    }
    if config.puzzle_emb_ndim:
        feeds["puzzle_embedding"] = np.ones((3, config.puzzle_emb_ndim), np.float32)
    # Products round differently by 1e-6, which moves single inputs across an edge of E4M3, and
    # untrained weights amplify that. Which inputs move differs from CPU to CPU.
    for expected, actual in zip(run(slow, **feeds), run(fast, **feeds), strict=True):
        assert cosine(actual, expected) > 0.999


def test_a_graph_without_fp8_is_left_alone() -> None:
    graph = step_graph(toy_calibration(VARIANTS["mlp"], "int8").model)
    assert fp8_in_float32(graph) is graph
