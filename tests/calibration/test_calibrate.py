from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.toys import BASE, toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import _check_inputs, calibrate
from trm_edge.calibration.grid import round_weight
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import CalibrationError, CalibrationWarning, ConfigError
from trm_edge.puzzle import Puzzle

PUZZLES = [Puzzle(tokens) for tokens in toy_tokens(BASE, 6)]
RECIPE = CalibrationRecipe(puzzles=4, batch=2)


@pytest.mark.parametrize("qtype", ["int8", "fp8", "int4"])
def test_weights_end_on_their_grid(qtype: QType) -> None:
    calibration = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, qtype, RECIPE)
    for quantization in calibration.layers.values():
        scales = torch.from_numpy(quantization.weight_scales)
        torch.testing.assert_close(
            round_weight(quantization.weight, scales, qtype), quantization.weight
        )


def test_coverage_counts_puzzles_steps_and_carries() -> None:
    calibration = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", RECIPE)
    assert calibration.coverage.puzzles == 4
    assert calibration.coverage.steps == 4 * BASE.halt_max_steps
    assert calibration.coverage.carries == calibration.coverage.steps * BASE.network_passes


def test_a_recipe_that_observes_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"observes steps \(99,\) .* has steps 1\.\."):
        calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", replace(RECIPE, steps=(99,)))


def test_random_carries_give_other_ranges() -> None:
    recipe = replace(RECIPE, activations="per_layer")
    true = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    recipe = replace(recipe, carries="random")
    random = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    assert true.coverage == random.coverage
    name = "layers.0.mlp.gate_up_proj"
    assert true.layers[name].amax != random.layers[name].amax


def test_the_widest_call_site_has_the_range_of_the_layer() -> None:
    recipe = replace(RECIPE, activations="per_call_site", equalisation=(0.0,))
    sites = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    recipe = replace(recipe, activations="per_layer")
    layers = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    for name, quantization in sites.layers.items():
        assert len(quantization.amax) == BASE.network_passes
        assert max(quantization.amax) == pytest.approx(layers.layers[name].amax[0])
        assert len(set(quantization.amax)) > 1


def test_bias_correction_restores_the_mean_of_a_product() -> None:
    recipe = replace(RECIPE, bias_correction=True, compensated_rounding=False)
    calibration = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", recipe)
    assert all(quantization.bias is not None for quantization in calibration.layers.values())
    plain = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", RECIPE)
    assert all(quantization.bias is None for quantization in plain.layers.values())


def test_observers_are_removed_afterwards() -> None:
    model = toy_model(BASE)
    calibrate(model, toy_table(BASE), PUZZLES, "int8", RECIPE)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_the_same_puzzles_give_the_same_calibration() -> None:
    first = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", RECIPE)
    second = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "fp8", RECIPE)
    for name, quantization in first.layers.items():
        assert quantization.amax == second.layers[name].amax
        assert torch.equal(quantization.weight, second.layers[name].weight)
    for left, right in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(left, right)


def test_ranges_by_percentile_are_narrower() -> None:
    recipe = replace(RECIPE, activations="per_layer", equalisation=(0.0,))
    widest = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    recipe = replace(recipe, method="percentile", percentile=99.0)
    narrower = calibrate(toy_model(BASE), toy_table(BASE), PUZZLES, "int8", recipe)
    for layer, quantization in narrower.layers.items():
        assert 0 < quantization.amax[0] <= 1.01 * widest.layers[layer].amax[0]


def test_no_puzzles_are_refused() -> None:
    with pytest.raises(CalibrationError, match="no calibration puzzles"):
        calibrate(toy_model(BASE), toy_table(BASE), [], "int8", RECIPE)


def test_an_input_that_is_always_zero_has_no_scale() -> None:
    model = toy_model(BASE)
    linear_layers(model)["layers.0.mlp.gate_up_proj"].weight.data.zero_()
    with pytest.raises(
        CalibrationError, match=r"input of layers\.0\.mlp\.down_proj is always zero"
    ):
        calibrate(model, toy_table(BASE), PUZZLES, "int8", RECIPE)


def test_an_input_that_never_changes_is_warned_of() -> None:
    statistics = InputStatistics(torch.Generator().manual_seed(0))
    statistics(torch.tensor([[1.0, -2.0], [1.0, -2.0]]), 0)
    assert statistics.constant
    with pytest.warns(CalibrationWarning, match=r"input of layers\.0\.mlp never changes"):
        _check_inputs({"layers.0.mlp": statistics})
    statistics(torch.tensor([[1.5, -2.0]]), 0)
    assert not statistics.constant
