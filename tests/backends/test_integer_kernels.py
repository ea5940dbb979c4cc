from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.calibration.toy_calibration import toy_calibration
from tests.toys import VARIANTS
from trm_edge.backends import integer_kernels
from trm_edge.backends.integer_kernels import (
    OUTPUT,
    kernels_are_exact,
    saturating_weights,
    warn_of_saturation,
)
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import Activations
from trm_edge.export.step_graph import step_graph


@pytest.fixture
def saturating_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integer_kernels, "kernels_are_exact", lambda: False)


def toy_graph(activations: Activations = "per_token") -> onnx.ModelProto:
    calibration = toy_calibration(VARIANTS["mlp"], "int8", activations)
    return quantize_graph(step_graph(calibration.model), calibration.layers, "int8")


def older_graph(activations: Activations = "per_token") -> onnx.ModelProto:
    """A graph whose weights reach the whole range, as those of earlier versions."""
    graph = toy_graph(activations)
    for tensor in graph.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2:
            codes = np.full(tuple(tensor.dims), 127, np.int8)
            tensor.CopyFrom(numpy_helper.from_array(codes, tensor.name))
    return graph


def test_the_probe_saturates_where_a_kernel_would() -> None:
    """Its sums leave 16 bits in every channel, so a saturating kernel cannot pass."""
    weights = integer_kernels.WEIGHTS.astype(np.int64)
    pairs = 255 * (weights[:, ::2] + weights[:, 1::2])
    assert np.all(np.clip(pairs, -32768, 32767).sum(1) != pairs.sum(1))


def test_the_result_of_the_probe_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime as ort

    class Saturating:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def run(self, outputs: list[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert outputs == [OUTPUT]
            inputs = next(iter(feeds.values())).astype(np.int64)
            products = inputs[:, None] * integer_kernels.WEIGHTS
            pairs = products[..., ::2] + products[..., 1::2]
            return [np.clip(pairs, -32768, 32767).sum(-1).astype(np.int32)]

    kernels_are_exact.cache_clear()
    monkeypatch.setattr(ort, "InferenceSession", Saturating)
    assert not kernels_are_exact()
    monkeypatch.undo()
    kernels_are_exact.cache_clear()
    assert isinstance(kernels_are_exact(), bool)


@pytest.mark.parametrize("activations", ["per_token", "per_layer"])
def test_graphs_of_this_release_never_saturate(activations: Activations) -> None:
    assert saturating_weights(toy_graph(activations).SerializeToString()) == []


def test_matrices_of_earlier_releases_are_named() -> None:
    names = saturating_weights(older_graph().SerializeToString())
    assert "layers.0.mlp.down_proj" in names


def test_weights_of_float_products_do_not_count() -> None:
    calibration = toy_calibration(VARIANTS["mlp"], "int8", "float")
    graph = quantize_graph(step_graph(calibration.model), calibration.layers, "int8")
    assert saturating_weights(graph.SerializeToString()) == []


@pytest.mark.usefixtures("saturating_cpu")
def test_loading_an_older_graph_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "step.onnx"
    onnx.save(older_graph(), path)
    with caplog.at_level(logging.WARNING), OnnxRuntimeBackend(path, VARIANTS["mlp"]) as backend:
        backend.start(2)
    (record,) = caplog.records
    assert "INT8 kernels of this CPU" in record.getMessage()
    assert "export the checkpoint again" in record.getMessage()


@pytest.mark.usefixtures("saturating_cpu")
def test_loading_a_graph_of_this_release_does_not_warn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "step.onnx"
    onnx.save(toy_graph(), path)
    with caplog.at_level(logging.WARNING), OnnxRuntimeBackend(path, VARIANTS["mlp"]):
        pass
    assert not caplog.records


def test_an_exact_machine_reads_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integer_kernels, "kernels_are_exact", lambda: True)
    monkeypatch.setattr(integer_kernels, "integer_weights", None)
    warn_of_saturation(b"", tmp_path)
