"""`trm-edge inspect` as a user calls it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.cli.commands import failed, run
from trm_edge.manifest import SimulatedAccuracy


def with_gpu_targets(toy_bundle: Path, folder: Path, *names: str) -> Path:
    """A copy of the bundle whose step graph is also that of other targets."""
    copy = folder / "bundle"
    shutil.copytree(toy_bundle, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    for name in names:
        target = dict(manifest["targets"]["cpu"])
        target["step"] = f"{name}/step.onnx"
        target["profile"] = None
        manifest["targets"][name] = target
        manifest["files"][target["step"]] = manifest["files"]["cpu/step.onnx"]
        (copy / name).mkdir()
        shutil.copy(copy / "cpu/step.onnx", copy / target["step"])
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def test_text_and_json(toy_bundle: Path) -> None:
    result = run("inspect", toy_bundle)
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    for text in (
        "H 2 x (L 2 + 1) = 6 passes",
        "adaptive, q_halt > 0",
        "lm_head, q_head",
        "per tensor by max (static), per token behind no norm (dynamic)",
        "z_H (B, 11, 32) float32",
    ):
        assert text in words
    manifest = json.loads(run("inspect", toy_bundle, "--json").stdout)
    assert next(iter(manifest.items())) == ("format", "trm-edge.bundle/1")
    assert manifest["targets"]["cpu"]["precision"] == "int8"


def test_a_pipe_gets_whole_names(toy_bundle: Path, tmp_path: Path) -> None:
    names = ("jetson-orin-nano-super-developer-kit", "rtx-pro-6000-blackwell-server-edition")
    copy = with_gpu_targets(toy_bundle, tmp_path, *names)
    result = run("inspect", copy)
    assert result.exit_code == 0, result.output
    for name in names:
        assert name in result.stdout
    assert "…" not in result.stdout


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [(True, r"97\.0 % .*\+1\.00 .*96\.0 %"), (False, r"97\.0 % as float32 .*96\.0 % as")],
)
def test_simulated_accuracy_and_agreement(
    labelled: bool, expected: str, toy_bundle: Path, tmp_path: Path
) -> None:
    copy = with_gpu_targets(toy_bundle, tmp_path, "l4")
    manifest = json.loads((copy / "manifest.json").read_text())
    simulated = SimulatedAccuracy(100, 0.97, 0.96, 1.0, 2.0, 3.0, 0.9, 0.99, 0.98, labelled)
    manifest["targets"]["l4"]["simulated"] = asdict(simulated)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert re.search(expected, " ".join(run("inspect", copy).stdout.split()))


def test_layers_of_a_target_without_an_engine(toy_bundle: Path, tmp_path: Path) -> None:
    failed(
        run("inspect", toy_bundle, "--layers"),
        "cpu has no engine: ONNX Runtime runs its step graph directly",
        "The bundle has no target with an engine.",
    )
    copy = with_gpu_targets(toy_bundle, tmp_path, "l4")
    failed(run("inspect", copy, "--layers"), "Pass --target with one of: l4")
    failed(
        run("inspect", copy, "--layers", "--target", "l4"),
        f"l4 has no engine yet. Build it on the device with: trm-edge build {copy} --target l4",
    )


def test_layers_as_text_and_json(toy_bundle: Path, tmp_path: Path) -> None:
    copy = with_gpu_targets(toy_bundle, tmp_path, "l4")
    layer = {
        "Name": "H0.L0.0.mlp.down.product",
        "LayerType": "gemm",
        "Inputs": [{"Name": "x", "Format/Datatype": "Int8"}],
        "Outputs": [{"Name": "y", "Format/Datatype": "Half"}],
        "Metadata": "[ONNX Layer: H0.L0.0.mlp.down.product]",
    }
    (copy / "l4/layers.json").write_text(json.dumps({"Layers": [layer], "Bindings": ["tokens"]}))
    arguments = ("inspect", copy, "--layers", "--target", "l4")
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "int8 x 1" in result.stdout
    content = json.loads(run(*arguments, "--json").stdout)
    assert content["format"] == "trm-edge.layers/1"
    assert content["tensors"] == ["tokens"]
    assert content["layers"][0]["inputs"] == ["int8"]
