from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.cache import SavedCalibration, read_calibration
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import Activations, CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import CalibrationError
from trm_edge.export.step_graph import step_graph
from trm_edge.puzzle import Puzzle

RECIPE = CalibrationRecipe(puzzles=4, batch=2)
SHA = "a" * 64


def saved(folder: Path, recipe: CalibrationRecipe = RECIPE, qtype: QType = "int8") -> Path:
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 4)]
    calibration = calibrate(toy_model(BASE), toy_table(BASE), puzzles, qtype, recipe)
    path = folder / "calibration.json"
    path.write_text(SavedCalibration(calibration, SHA, "toys").to_json())
    return path


@pytest.mark.parametrize("compensated", [True, False])
@pytest.mark.parametrize(
    ("qtype", "activations"),
    [("int8", "per_token"), ("fp8", "per_layer"), ("int8", "per_call_site"), ("int4", "float")],
)
def test_a_restored_calibration_gives_the_same_graph(
    qtype: QType, activations: Activations, compensated: bool, tmp_path: Path
) -> None:
    recipe = replace(
        RECIPE, activations=activations, compensated_rounding=compensated, bias_correction=True
    )
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 4)]
    calibration = calibrate(toy_model(BASE), toy_table(BASE), puzzles, qtype, recipe)
    path = tmp_path / "calibration.json"
    path.write_text(SavedCalibration(calibration, SHA, "toys").to_json())
    restored = read_calibration(path, toy_model(BASE), SHA, qtype, recipe)
    assert restored.source == "toys"
    assert restored.calibration.coverage == calibration.coverage
    expected = quantize_graph(step_graph(calibration.model), calibration.layers, qtype)
    calibration = restored.calibration
    actual = quantize_graph(step_graph(calibration.model), calibration.layers, qtype)
    assert actual.SerializeToString() == expected.SerializeToString()


def test_other_weights_types_and_recipes_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    model = toy_model(BASE)
    with pytest.raises(CalibrationError, match=r"made for other weights: .* aaaaaaaaaaaa…"):
        read_calibration(path, model, "b" * 64, "int8")
    with pytest.raises(CalibrationError, match="is for int8, but fp8 was requested"):
        read_calibration(path, model, SHA, "fp8")
    with pytest.raises(CalibrationError, match="another recipe: puzzles 4, not 64"):
        read_calibration(path, model, SHA, "int8", replace(RECIPE, puzzles=64))
    with pytest.raises(CalibrationError, match="for a graph with other layers"):
        read_calibration(path, toy_model(VARIANTS["attention-rope"]), SHA, "int8")


def test_a_calibration_of_an_earlier_release_keeps_nothing_in_float(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    del content["recipe"]["float_layers"]
    path.write_text(json.dumps(content))
    assert read_calibration(path, toy_model(BASE), SHA, "int8", RECIPE).calibration.recipe == RECIPE


def test_another_shape_with_the_same_names_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    wider = replace(BASE, hidden_size=2 * BASE.hidden_size)
    with pytest.raises(CalibrationError, match="does not fit the model"):
        read_calibration(path, toy_model(wider), SHA, "int8")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content | {"format": "other/1"},
        lambda content: {},
        lambda content: [],
        lambda content: content | {"recipe": {"puzzles": 4}},
        lambda content: {key: content[key] for key in content if key != "coverage"},
    ],
)
def test_other_content_is_refused(damage: Any, tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(CalibrationError, match="is not a saved calibration"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_an_incomplete_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CalibrationError, match="is not a saved calibration"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_damaged_codes_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["layers"]["layers.0.mlp.down_proj"]["codes"] = "AAAA"
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match="does not fit the model"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


@pytest.mark.parametrize("scales", ["AAAA", "eJxjYGBgAAAABAAB"])
def test_damaged_weight_scales_are_refused(scales: str, tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["layers"]["layers.0.mlp.down_proj"]["weight_scales"] = scales
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match="does not fit the model"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_codes_of_earlier_releases_that_saturate_are_refused(tmp_path: Path) -> None:
    """They had no scales of their own, and codes up to 127 beside each other."""
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    layer = content["layers"]["layers.0.mlp.down_proj"]
    layer["weight_scales"] = None
    shape = linear_layers(toy_model(BASE))["layers.0.mlp.down_proj"].weight.shape
    codes = np.full(tuple(shape), 100, np.int8)
    layer["codes"] = base64.b64encode(zlib.compress(codes.tobytes())).decode()
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match=r"saturate on CPUs without VNNI.*Calibrate again"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_the_model_is_not_changed(tmp_path: Path) -> None:
    model = toy_model(BASE)
    before = [parameter.clone() for parameter in model.parameters()]
    read_calibration(saved(tmp_path), model, SHA, "int8")
    for expected, actual in zip(before, model.parameters(), strict=True):
        assert torch.equal(actual, expected)


def test_a_file_of_the_first_releases_is_still_read(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["kind"] = content.pop("qtype")
    content["seen"] = content.pop("coverage")
    path.write_text(json.dumps(content))
    restored = read_calibration(path, toy_model(BASE), SHA, "int8", RECIPE)
    assert restored.calibration.coverage.puzzles == 4


def test_missing_codes_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["layers"]["layers.0.mlp.down_proj"]["codes"] = None
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match=r"the codes of weights .* are missing"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_an_unknown_key_of_a_layer_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["layers"]["layers.0.mlp.down_proj"]["scale"] = 1.0
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match="unknown scale in layers"):
        read_calibration(path, toy_model(BASE), SHA, "int8")
