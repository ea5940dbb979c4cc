"""The quantizing part of an export: caches, warnings, fine-tuning, limits of accuracy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.logs import logged
from tests.toys import BASE, write_run
from trm_edge.bundle import Bundle
from trm_edge.calibration.accuracy_control import ControlledAccuracy
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.sensitivity import QuantizedRunner
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.ranking import LayerSensitivity
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import load_checkpoint
from trm_edge.graph_guard import integer_weights
from trm_edge.manifest import Limits
from trm_edge.targets.export_bundle import export_bundle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.request import ExportRequest
from trm_edge.tasks import task_for

CALIBRATED = "calibrated on"


@pytest.fixture
def request_of(toy_dataset: Path, tmp_path: Path) -> Any:
    checkpoint = load_checkpoint(write_run(tmp_path / "run", BASE))
    plain = ExportRequest(
        checkpoint=checkpoint,
        task=task_for(checkpoint.config),
        precision="int8",
        targets=(load_profile("cpu"),),
        dataset=toy_dataset,
        recipe=CalibrationRecipe(puzzles=4),
        limits=Limits(max_drop=100, min_halting_agreement=0),
    )
    return lambda **changes: replace(plain, **changes)


def export(request: ExportRequest, output: Path) -> tuple[Bundle, list[str]]:
    with logged() as lines:
        return export_bundle(request, output), lines


def step_sha256(bundle: Bundle) -> str:
    return bundle.manifest.files["cpu/step.onnx"].sha256


def test_a_saved_calibration_gives_the_same_graph_without_running(
    request_of: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "saved" / "calibration.json"
    first, lines = export(request_of(calibration_cache=cache), tmp_path / "a")
    assert any(CALIBRATED in line for line in lines)
    repeated, lines = export(request_of(calibration_cache=cache), tmp_path / "b")
    assert not any(CALIBRATED in line for line in lines)
    assert any(f"calibration read from {cache}" in line for line in lines)
    assert step_sha256(first) == step_sha256(repeated)
    # The calibration.json of a bundle is such a cache, too.
    repeated, _ = export(
        request_of(calibration_cache=first.path / "calibration.json"), tmp_path / "c"
    )
    assert step_sha256(first) == step_sha256(repeated)


def test_a_calibration_of_another_recipe_or_type_is_refused(
    request_of: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "calibration.json"
    export(request_of(calibration_cache=cache), tmp_path / "a")
    recipe = CalibrationRecipe(puzzles=5)
    with pytest.raises(CalibrationError, match=r"another recipe: puzzles 4, not 5\."):
        export(request_of(calibration_cache=cache, recipe=recipe), tmp_path / "b")
    with pytest.raises(CalibrationError, match="is for int8, but fp8 was requested"):
        export(request_of(calibration_cache=cache, precision="fp8"), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_what_cannot_be_calibrated_on_is_refused_before_the_graph_is_checked(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*arguments: object, **options: object) -> None:
        raise AssertionError("the graph was checked first")

    monkeypatch.setattr("trm_edge.targets.export_bundle.write_reference_graph", work)
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(CalibrationError, match="holds no puzzles to calibrate on"):
        export(request_of(calibration=empty), tmp_path / "b")
    cache = tmp_path / "calibration.json"
    cache.write_text("[1, 2]")
    with pytest.raises(CalibrationError, match=r"calibration\.json is not .* it holds a list"):
        export(request_of(calibration_cache=cache), tmp_path / "b")


def test_few_puzzles_are_warned_about(request_of: Any, tmp_path: Path) -> None:
    _, lines = export(request_of(), tmp_path / "few")
    assert any("warning: 4 different puzzles are few to calibrate on" in line for line in lines)


def test_fine_tuning_is_saved_and_recorded_in_the_bundle(request_of: Any, tmp_path: Path) -> None:
    pytest.importorskip("modelopt", reason="needs pip install 'trm-edge[export]'")
    state = tmp_path / "state"
    plain, _ = export(request_of(), tmp_path / "plain")
    tuned, lines = export(request_of(qat_steps=3, qat_state=state), tmp_path / "tuned")
    assert any("fine-tuned for 3 steps on 8 puzzles" in line for line in lines)
    assert state.exists()
    assert step_sha256(plain) != step_sha256(tuned)
    saved = tuned.calibration()
    assert saved is not None
    assert (saved.finetune or {})["steps"] == 3
    continued, lines = export(request_of(qat_steps=3, qat_state=state), tmp_path / "continued")
    assert any("continuing the fine-tuning" in line for line in lines)
    assert step_sha256(continued) == step_sha256(tuned)
    cache = tuned.path / "calibration.json"
    with pytest.raises(CalibrationError, match="follows a fine-tuning"):
        export(request_of(calibration_cache=cache), tmp_path / "c")


def test_a_limit_that_few_puzzles_cannot_show_is_refused(request_of: Any, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="8 held-out puzzles cannot show"):
        export(request_of(max_drop=0.5), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_layers_returned_to_float_are_float_in_graph_and_manifest(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "layers.1.mlp.down_proj"

    def return_one_layer(runner: QuantizedRunner, reference: ParityVectors, *arguments: Any) -> Any:
        layer = LayerSensitivity(name, 0.0123, 0.0456, 0.1, 2, 1)
        return ControlledAccuracy((layer,), compare(reference, reference))

    monkeypatch.setattr("trm_edge.targets.quantization.control_accuracy", return_one_layer)
    bundle, lines = export(request_of(max_drop=50), tmp_path / "b")
    first = bundle.manifest.targets["cpu"].float_layers[0]
    assert first.layer == name
    assert "0.0123 at the first step and 0.0456 at the last" in first.reason
    assert any("1 of 8 layers stay in float" in line for line in lines)
    graph = onnx.load(bundle.path / "cpu/step.onnx").graph
    int8_names = [
        tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8
    ]
    assert any("layers.1.mlp.gate_up_proj" in int8_name for int8_name in int8_names)
    assert not any(name in int8_name for int8_name in int8_names)


def test_calibration_json_is_plain_json(request_of: Any, tmp_path: Path) -> None:
    bundle, _ = export(request_of(), tmp_path / "a")
    content = json.loads((bundle.path / "calibration.json").read_text())
    assert content["format"] == "trm-edge.calibration/1"
    assert content["finetune"] is None


def test_layers_that_the_recipe_keeps_in_float(request_of: Any, tmp_path: Path) -> None:
    recipe = CalibrationRecipe(puzzles=4, float_layers=("0.mlp.", "o_proj"))
    cache = tmp_path / "calibration.json"
    for name in ("a", "b"):  # calibrated, then from the file
        bundle, _ = export(request_of(recipe=recipe, calibration_cache=cache), tmp_path / name)
        target = bundle.manifest.targets["cpu"]
        kept = [layer.layer for layer in target.float_layers if "recipe" in layer.reason]
        assert kept
        assert all("0.mlp." in layer or "o_proj" in layer for layer in kept)
        weights = integer_weights((bundle.path / target.step).read_bytes())
        quantized = {name.removesuffix("_q") for name in weights}
        assert not any(layer in weight for layer in kept for weight in quantized)
        assert len(quantized) + len(kept) >= 8


def test_fp8_keeps_the_mixing_of_positions_in_float() -> None:
    recipe = CalibrationRecipe.default("fp8")
    assert recipe.keeps_in_float("L.layers.0.mlp_t.gate_up_proj")
    assert not recipe.keeps_in_float("L.layers.0.mlp_t.down_proj")
    assert not recipe.keeps_in_float("L.layers.0.mlp.gate_up_proj")
    assert not CalibrationRecipe.default("int8").float_layers
    assert CalibrationRecipe.static("fp8").float_layers == recipe.float_layers
