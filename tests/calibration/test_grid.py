from __future__ import annotations

import pytest
import torch

from trm_edge.calibration.grid import (
    BLOCK,
    round_inputs,
    round_to_grid,
    round_tokens,
    spread_scales,
    weight_scales,
)


def test_rounding_saturates_and_breaks_ties_to_even() -> None:
    values = torch.tensor([0.5, 1.5, -200.0, 300.0])
    assert round_to_grid(values, 1.0, "int8").tolist() == [0, 2, -127, 127]
    assert round_to_grid(values, 1.0, "int4").tolist() == [0, 2, -7, 7]
    assert round_to_grid(values * 2, 1.0, "fp8").tolist() == [1, 3, -384, 448]


def test_each_output_channel_has_a_scale() -> None:
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    scales = weight_scales(weight, "int8")
    torch.testing.assert_close(scales, torch.tensor([[2.0], [1.0]]) / 127)
    torch.testing.assert_close(spread_scales(scales, 3, "int8"), scales.repeat(1, 3))


def test_each_int4_block_has_a_scale() -> None:
    weight = torch.ones(2, BLOCK + 1)
    weight[:, -1] = 3
    scales = weight_scales(weight, "int4")
    torch.testing.assert_close(scales, torch.tensor([[1.0, 3.0], [1.0, 3.0]]) / 7)
    spread = spread_scales(scales, BLOCK + 1, "int4")
    torch.testing.assert_close(spread * 7, weight)


def test_each_token_reaches_its_own_largest_magnitude() -> None:
    tokens = torch.tensor([[1.0, -100.0], [0.01, 0.005], [0.0, 0.0]])
    rounded = round_tokens(tokens, "int8")
    torch.testing.assert_close(rounded.abs().amax(1), tokens.abs().amax(1))
    torch.testing.assert_close(rounded, tokens, rtol=0, atol=0.5)


@pytest.mark.parametrize("activations", ["per_layer", "per_call_site"])
def test_static_inputs_are_rounded_within_their_range(activations: str) -> None:
    inputs = torch.tensor([[1.0, -100.0]])
    rounded = round_inputs(inputs, 2.0, "int8", activations)  # type: ignore[arg-type]
    torch.testing.assert_close(rounded, torch.tensor([[1.0, -2.0]]), rtol=0, atol=0.01)


def test_float_inputs_are_not_rounded() -> None:
    inputs = torch.tensor([[0.123456, -100.0]])
    assert round_inputs(inputs, 2.0, "int8", "float") is inputs
