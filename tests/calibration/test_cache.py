from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.toys import BASE, VARIANTS, toy_model, toy_table, toy_tokens
from trm_edge.calibration.cache import SavedCalibration, read_calibration
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import Activations, CalibrationRecipe, QType
from trm_edge.errors import CalibrationError
from trm_edge.export.step_graph import step_graph
from trm_edge.puzzle import Puzzle

RECIPE = CalibrationRecipe(puzzles=4, batch=2)
SHA = "a" * 64


def saved(folder: Path, recipe: CalibrationRecipe = RECIPE, qtype: QType = "int8") -> Path:
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 4)]
    ready = calibrate(toy_model(BASE), toy_table(BASE), puzzles, qtype, recipe)
    path = folder / "calibration.json"
    path.write_text(SavedCalibration(ready, SHA, "toys").to_json())
    return path


@pytest.mark.parametrize("compensated", [True, False])
@pytest.mark.parametrize(
    ("qtype", "activations"),
    [("int8", "per_token"), ("fp8", "per_layer"), ("int8", "per_call_site"), ("int4", "float")],
)
def test_gives_the_same_graph_without_running_anything(
    qtype: QType, activations: Activations, compensated: bool, tmp_path: Path
) -> None:
    recipe = replace(
        RECIPE, activations=activations, compensated_rounding=compensated, bias_correction=True
    )
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(BASE, 4)]
    ready = calibrate(toy_model(BASE), toy_table(BASE), puzzles, qtype, recipe)
    path = tmp_path / "calibration.json"
    path.write_text(SavedCalibration(ready, SHA, "toys").to_json())
    again = read_calibration(path, toy_model(BASE), SHA, qtype, recipe)
    assert again.source == "toys"
    assert again.calibration.coverage == ready.coverage
    graphs = [
        quantize_graph(step_graph(one.model), one.layers, qtype).SerializeToString()
        for one in (ready, again.calibration)
    ]
    assert graphs[0] == graphs[1]


def test_other_weights_another_type_or_recipe(tmp_path: Path) -> None:
    path = saved(tmp_path)
    model = toy_model(BASE)
    with pytest.raises(CalibrationError, match=r"made for other weights: .* aaaaaaaaaaaa…"):
        read_calibration(path, model, "b" * 64, "int8")
    with pytest.raises(CalibrationError, match="is for int8, but fp8 is asked for"):
        read_calibration(path, model, SHA, "fp8")
    with pytest.raises(CalibrationError, match="another recipe: puzzles 4, not 64"):
        read_calibration(path, model, SHA, "int8", replace(RECIPE, puzzles=64))
    with pytest.raises(CalibrationError, match="for a graph with other layers"):
        read_calibration(path, toy_model(VARIANTS["attention-rope"]), SHA, "int8")


def test_another_shape_under_the_same_names(tmp_path: Path) -> None:
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
        lambda content: {k: v for k, v in content.items() if k != "coverage"},
    ],
)
def test_what_is_no_calibration(damage: Any, tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(CalibrationError, match="is not a saved calibration"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_half_a_file(tmp_path: Path) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CalibrationError, match="is not a saved calibration"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_codes_that_are_damaged(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = json.loads(path.read_text())
    content["layers"]["layers.0.mlp.down_proj"]["codes"] = "AAAA"
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match="does not fit the model"):
        read_calibration(path, toy_model(BASE), SHA, "int8")


def test_the_model_given_stays_as_it_is(tmp_path: Path) -> None:
    model = toy_model(BASE)
    before = [p.clone() for p in model.parameters()]
    read_calibration(saved(tmp_path), model, SHA, "int8")
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
