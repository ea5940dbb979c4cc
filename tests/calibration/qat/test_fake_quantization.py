from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.calibration.qat.toys import RECIPE, toy_entries
from tests.toys import BASE, VARIANTS, toy_model, toy_table
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.grid import round_inputs, round_weight, weight_scales
from trm_edge.calibration.qat.fake_quantization import input_ranges, insert_quantizers
from trm_edge.calibration.recipe import Activations, QType, RangeMethod
from trm_edge.calibration.saturation import exact_scales, has_integer_products
from trm_edge.calibration.trajectories import linear_layers


@pytest.mark.parametrize("activations", ["per_token", "per_layer", "float"])
@pytest.mark.parametrize("qtype", ["int8", "fp8", "int4"])
@pytest.mark.parametrize("name", ["mlp", "attention-rope"])
def test_the_network_computes_as_its_quantized_self(
    name: str, qtype: QType, activations: Activations
) -> None:
    """ModelOpt's quantizers round as the graph's, even where blocks do not divide the width."""
    model = toy_model(VARIANTS[name])
    generator = torch.Generator().manual_seed(0)
    ranges = {}
    if activations == "per_layer":
        ranges = dict.fromkeys(linear_layers(model), (2.0,))
    insert_quantizers(model, qtype, activations, ranges)
    for layer in linear_layers(model).values():
        inputs = torch.randn(2, 3, layer.in_features, generator=generator)
        weight = layer.weight.detach()
        rounded_inputs = round_inputs(inputs, 2.0, qtype, activations)
        scales = weight_scales(weight, qtype)
        if has_integer_products(qtype, activations):
            scales = exact_scales(weight)
        rounded_weight = round_weight(weight, scales, qtype)
        torch.testing.assert_close(
            layer(inputs), rounded_inputs @ rounded_weight.T, atol=1e-5, rtol=1e-5
        )
    assert type(model.lm_head) is type(model.q_head) is nn.Linear


def test_each_call_site_has_its_own_range() -> None:
    recipe = replace(RECIPE, activations="per_call_site")
    puzzles = [entry.puzzle for entry in toy_entries()]
    model = toy_model(BASE)
    ranges = input_ranges(model, toy_table(BASE), puzzles, "int8", recipe)
    assert {len(amax) for amax in ranges.values()} == {BASE.network_passes}
    insert_quantizers(model, "int8", "per_call_site", ranges)
    name, layer = next(iter(linear_layers(model).items()))
    inputs = torch.randn(2, 3, layer.in_features, generator=torch.Generator().manual_seed(0)) * 9
    weight = layer.weight.detach()
    rounded_weight = round_weight(weight, exact_scales(weight), "int8")
    for amax in ranges[name] + ranges[name][:2]:
        rounded_inputs = round_inputs(inputs, amax, "int8", "per_call_site")
        torch.testing.assert_close(
            layer(inputs), rounded_inputs @ rounded_weight.T, atol=1e-4, rtol=1e-5
        )


@pytest.mark.parametrize("method", ["max", "mse", "percentile"])
def test_ranges_are_the_ones_of_calibration(method: RangeMethod) -> None:
    recipe = replace(RECIPE, activations="per_layer", method=method, equalisation=(0.0,))
    puzzles = [entry.puzzle for entry in toy_entries()]
    model = toy_model(BASE)
    table = toy_table(BASE)
    calibration = calibrate(model, table, puzzles, "int8", recipe)
    ranges = input_ranges(model, table, puzzles, "int8", recipe)
    for name, quantization in calibration.layers.items():
        assert ranges[name] == pytest.approx(quantization.amax)


def test_weight_scales_follow_the_weights_in_training() -> None:
    model = toy_model(BASE)
    insert_quantizers(model, "int8", "per_token", {})
    layer = next(iter(linear_layers(model).values()))
    inputs = torch.randn(2, 3, layer.in_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = layer(inputs)
        layer.weight *= 2.0
        torch.testing.assert_close(layer(inputs), before * 2.0)
