"""The quantizing part of an export: caches, warnings, fine-tuning, the limit of accuracy."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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


def test_a_kept_calibration_gives_the_same_graph_without_running(
    request_of: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "kept" / "calibration.json"
    first, said = export(request_of(calibration_cache=cache), tmp_path / "a")
    assert any(CALIBRATED in text for text in said)
    again, said = export(request_of(calibration_cache=cache), tmp_path / "b")
    assert not any(CALIBRATED in text for text in said)
    assert any(f"calibration taken from {cache}" in text for text in said)
    assert step_sha256(first) == step_sha256(again)
    # What a bundle holds is such a cache as well.
    again, _ = export(request_of(calibration_cache=first.path / "calibration.json"), tmp_path / "c")
    assert step_sha256(first) == step_sha256(again)


def test_a_calibration_of_another_recipe_or_type_is_refused(
    request_of: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "calibration.json"
    export(request_of(calibration_cache=cache), tmp_path / "a")
    other = CalibrationRecipe(puzzles=5)
    with pytest.raises(CalibrationError, match=r"another recipe: puzzles 4, not 5\."):
        export(request_of(calibration_cache=cache, recipe=other), tmp_path / "b")
    with pytest.raises(CalibrationError, match="is for int8, but fp8 is asked for"):
        export(request_of(calibration_cache=cache, precision="fp8"), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_few_puzzles_and_puzzles_of_one_kind_are_told(
    request_of: Any, toy_dataset: Path, tmp_path: Path
) -> None:
    _, said = export(request_of(), tmp_path / "few")
    assert any("warning: 4 different puzzles are few to calibrate on" in text for text in said)
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    (data / "test").symlink_to(toy_dataset / "test")
    rng = np.random.default_rng(0)
    alike = np.stack([rng.permutation([1, 1, 1, 2, 3, 4, 5, 6, 2]) for _ in range(40)])
    np.save(data / "train" / "all__inputs.npy", alike.astype(np.int32))
    np.save(data / "train" / "all__labels.npy", alike.astype(np.int32))
    recipe = CalibrationRecipe(puzzles=32)
    _, said = export(request_of(dataset=data, recipe=recipe), tmp_path / "alike")
    assert any("each holds its most common token 3 times" in text for text in said)


def test_fine_tuning_is_kept_on_the_way_and_stands_in_the_bundle(
    request_of: Any, tmp_path: Path
) -> None:
    pytest.importorskip("modelopt", reason="needs pip install 'trm-edge[export]'")
    state = tmp_path / "state"
    plain, _ = export(request_of(), tmp_path / "plain")
    tuned, said = export(request_of(qat_steps=3, qat_state=state), tmp_path / "tuned")
    assert any("fine-tuned for 3 steps on 8 puzzles" in text for text in said)
    assert state.exists()
    assert step_sha256(plain) != step_sha256(tuned)
    saved = tuned.calibration()
    assert saved is not None
    assert (saved.finetune or {})["steps"] == 3
    again, said = export(request_of(qat_steps=3, qat_state=state), tmp_path / "again")
    assert any("going on with the fine-tuning" in text for text in said)
    assert step_sha256(again) == step_sha256(tuned)
    cache = tuned.path / "calibration.json"
    with pytest.raises(CalibrationError, match="follows a fine-tuning"):
        export(request_of(calibration_cache=cache), tmp_path / "c")


def test_a_limit_that_so_few_puzzles_cannot_show_is_refused(
    request_of: Any, tmp_path: Path
) -> None:
    with pytest.raises(CalibrationError, match="8 held-out puzzles cannot show"):
        export(request_of(max_drop=0.5), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_layers_that_were_returned_stay_float_in_graph_and_manifest(
    request_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "layers.1.mlp.down_proj"

    def retire_and_refill(runner: QuantizedRunner, reference: ParityVectors, *rest: Any) -> Any:
        layer = LayerSensitivity(name, 0.0123, 0.0456, 0.1, 2, 1)
        return ControlledAccuracy((layer,), compare(reference, reference))

    monkeypatch.setattr("trm_edge.targets.quantization.control_accuracy", retire_and_refill)
    bundle, said = export(request_of(max_drop=0.5), tmp_path / "b")
    first = bundle.manifest.targets["cpu"].float_layers[0]
    assert first.layer == name
    assert "0.0123 at the first step and 0.0456 at the last" in first.reason
    assert any("1 of 8 layers stay in float" in text for text in said)
    graph = onnx.load(bundle.path / "cpu/step.onnx").graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    bytes_of = [key for key, qtype in stored.items() if qtype == onnx.TensorProto.INT8]
    assert any("layers.1.mlp.gate_up_proj" in key for key in bytes_of)
    assert not any(name in key for key in bytes_of)


def test_limits_follow_the_precision_and_the_drop_that_is_asked_for(request_of: Any) -> None:
    assert request_of(limits=None, precision="fp16").accuracy_limits == Limits()
    strict, loose = (
        request_of(limits=None, precision=qtype).accuracy_limits for qtype in ("int8", "fp8")
    )
    assert loose.min_halting_agreement < strict.min_halting_agreement
    assert strict.min_halting_agreement < Limits().min_halting_agreement
    asked = request_of(limits=None, precision="fp8", max_drop=0.25).accuracy_limits
    assert asked == replace(loose, max_drop=0.25)
    assert request_of(max_drop=0.25).accuracy_limits.max_drop == 100  # those given come first


def test_calibration_json_is_plain_json(request_of: Any, tmp_path: Path) -> None:
    bundle, _ = export(request_of(), tmp_path / "a")
    content = json.loads((bundle.path / "calibration.json").read_text())
    assert content["format"] == "trm-edge.calibration/1"
    assert content["finetune"] is None
