from __future__ import annotations

import torch

from trm_edge.calibration.grid import round_to_grid, weight_scales
from trm_edge.calibration.rounding import CompensatedRounding


def test_compensated_rounding_preserves_the_output_better() -> None:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(24, 24, generator=generator)
    inputs = torch.randn(500, 24, generator=generator) @ mixing
    weight = torch.randn(16, 24, generator=generator)
    scales = weight_scales(weight, "int8") * 16  # coarse, so that rounding matters
    gram = (inputs.T @ inputs).double() / len(inputs)

    def error(rounded: torch.Tensor) -> float:
        return float((inputs @ (rounded - weight).T).square().mean())

    compensated = CompensatedRounding(gram).round(weight, scales, "int8")
    torch.testing.assert_close(round_to_grid(compensated, scales, "int8"), compensated)
    assert error(compensated) < 0.5 * error(round_to_grid(weight, scales, "int8"))


def test_compensated_rounding_without_inputs_is_plain_rounding() -> None:
    weight = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    scales = weight_scales(weight, "int8")
    torch.testing.assert_close(
        CompensatedRounding(torch.zeros(6, 6, dtype=torch.float64)).round(weight, scales, "int8"),
        round_to_grid(weight, scales, "int8"),
    )
