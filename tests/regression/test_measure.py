from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from trm_edge.bundle import Bundle
from trm_edge.engines.record import ENGINE, LAYERS
from trm_edge.regression.measure import float32_sha256, measure


def test_a_bundle_is_measured(toy_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SHA", "f" * 40)
    bundle = Bundle.open(toy_bundle)
    measurement, run = measure(bundle, "cpu")
    step = bundle.manifest.files[bundle.target("cpu")[1].step]
    assert (measurement.target, measurement.precision) == ("cpu", "int8")
    assert measurement.step_sha256 == step.sha256
    assert measurement.float32_sha256 == float32_sha256(bundle) is not None
    assert measurement.sizes == {"step_graph": step.size}
    assert measurement.engine_layers == {}
    assert measurement.speeds == ()
    assert measurement.provenance["commit"] == "f" * 40
    assert len(measurement.answers) == len(run.candidate) == 8


def test_an_engine_beside_the_graph_is_measured(toy_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    shutil.copytree(toy_bundle, copy)
    bundle = Bundle.open(copy)
    folder = (copy / bundle.target("cpu")[1].step).parent
    (folder / ENGINE).write_bytes(b"engine")
    layer = {
        "Name": "fused",
        "LayerType": "gemm",
        "Inputs": [{"Format/Datatype": "Int8"}],
        "Outputs": [],
        "Metadata": "[ONNX Layer: H0.L0.0.mlp.down.product]",
    }
    (folder / LAYERS).write_text(json.dumps({"Layers": [layer], "Bindings": []}))
    measurement, _ = measure(bundle, "cpu")
    assert measurement.sizes["engine"] == 6
    assert measurement.engine_layers == {"0.mlp.down": {"int8": 1}}


def test_a_bundle_without_a_float32_graph(toy_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "b"
    shutil.copytree(toy_bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["files"][manifest["float32"]], manifest["float32"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert float32_sha256(Bundle.open(copy)) is None
