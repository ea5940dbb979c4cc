from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from trm_edge.backends.integer_kernels import PAIR_LIMIT
from trm_edge.calibration.grid import weight_scales
from trm_edge.calibration.recipe import QType
from trm_edge.calibration.rounding import CompensatedRounding, NearestRounding
from trm_edge.calibration.saturation import (
    exact_scales,
    largest_pair_sum,
    require_no_saturation,
    round_layer,
    round_without_saturation,
    saturates,
)
from trm_edge.errors import CalibrationError


def weights(outputs: int, inputs: int, seed: int) -> Tensor:
    """Weights with heavy tails, so that neighbours often are large together."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(outputs, inputs, generator=generator) ** 3


def test_the_limit_is_what_16_bits_hold() -> None:
    assert np.iinfo(np.int16).max >= 255 * PAIR_LIMIT
    assert np.iinfo(np.int16).max < 255 * (PAIR_LIMIT + 1)


@pytest.mark.parametrize("compensated", [False, True])
def test_no_pair_of_codes_saturates_and_scales_are_as_small_as_possible(compensated: bool) -> None:
    weight = weights(64, 48, 0)
    rounding = NearestRounding()
    if compensated:
        inputs = torch.randn(400, 48, generator=torch.Generator().manual_seed(1))
        inputs = inputs @ weights(48, 48, 2)
        rounding = CompensatedRounding((inputs.T @ inputs).double())
    rounded, scales = round_without_saturation(weight, rounding)
    codes = torch.round(rounded / scales)
    assert int(largest_pair_sum(codes).max()) <= PAIR_LIMIT
    assert int(codes.abs().max()) <= 127
    torch.testing.assert_close(codes * scales, rounded)
    # A channel reaches the limit of a pair or of a code, give or take rounding and compensation.
    reach = torch.maximum(largest_pair_sum(codes) / PAIR_LIMIT, codes.abs().amax(1) / 127)
    assert float(reach.median()) > 0.94


def test_channels_whose_pairs_are_small_keep_their_scales() -> None:
    weight = torch.tensor([[1.0, 0.0, -1.0, 0.0], [1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 1.0, -1.0]])
    rounded, scales = round_without_saturation(weight, NearestRounding())
    expected = weight_scales(weight, "int8")
    assert scales[0] == expected[0]
    assert scales[1] == 2 / PAIR_LIMIT
    assert scales[2] == expected[2]  # neighbours of opposite sign cancel
    torch.testing.assert_close(rounded, weight)


def test_only_integer_products_are_held_to_the_limit() -> None:
    weight = torch.ones(2, 8)
    _, float_scales = round_layer(weight, "int8", "float", NearestRounding())
    _, integer_scales = round_layer(weight, "int8", "per_token", NearestRounding())
    assert torch.all(float_scales == weight_scales(weight, "int8"))
    assert torch.all(integer_scales == 2 / PAIR_LIMIT)


def test_zero_and_single_columns_are_rounded() -> None:
    rounded, _ = round_without_saturation(torch.zeros(2, 4), NearestRounding())
    assert not rounded.any()
    rounded, scales = round_without_saturation(torch.tensor([[3.0], [0.0]]), NearestRounding())
    torch.testing.assert_close(rounded, torch.tensor([[3.0], [0.0]]))
    assert scales.shape == (2, 1)


def test_rounding_that_never_fits_is_an_error() -> None:
    class Runaway(NearestRounding):
        def round(self, weight: Tensor, scales: Tensor, qtype: QType) -> Tensor:
            return torch.full_like(weight, 100.0) * scales

    with pytest.raises(CalibrationError, match="2 of 2 output channels keep saturating"):
        round_without_saturation(torch.ones(2, 4), Runaway())


def test_codes_that_saturate_are_refused() -> None:
    fitting = np.array([[64, 64, -64, -64], [127, 1, -127, -1]], np.int8)
    assert not saturates(fitting)
    require_no_saturation(fitting, "layer")
    with pytest.raises(CalibrationError, match=r"layer: two neighbouring .* add up to 129"):
        require_no_saturation(np.array([[65, 64]], np.int8), "layer")
    with pytest.raises(CalibrationError, match="one is -128"):
        require_no_saturation(np.array([[-128, 1]], np.int8), "layer")


def test_vpmaddubsw_gives_the_exact_sums_of_such_codes() -> None:
    """The instruction of x64 kernels without VNNI, computed in NumPy, at its worst inputs."""
    rounded, scales = round_without_saturation(weights(32, 64, 3), NearestRounding())
    codes = torch.round(rounded / scales).numpy().astype(np.int32)
    for inputs in (np.full(64, 255), np.arange(64) % 2 * 255, np.arange(64) * 4):
        products = codes * inputs
        pairs = products[:, ::2] + products[:, 1::2]
        saturated = np.clip(pairs, -32768, 32767)
        np.testing.assert_array_equal(saturated.sum(1), products.sum(1))


def test_of_scales_near_the_smallest_the_best_is_taken() -> None:
    weight = weights(64, 48, 4)
    smallest = exact_scales(weight)
    rounding = NearestRounding()
    rounded, scales = round_without_saturation(weight, rounding)
    at_smallest = rounding.errors(weight, rounding.round(weight, smallest, "int8"))
    assert float(rounding.errors(weight, rounded).sum()) < 0.98 * float(at_smallest.sum())
    assert len(torch.unique((scales / smallest).round(decimals=3))) > 3
