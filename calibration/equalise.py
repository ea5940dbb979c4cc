"""Equalise the channels of the SwiGLU product, exactly and at no cost at run time.

The input of a down-projection is silu(gate) * up, whose channels differ by a factor of hundreds;
one INT8 scale for all of them leaves the small ones with a few levels. Since the product is linear
in ``up``, a factor 1/s_c on a channel's row of the up-projection and s_c on its column of the
down-projection leave the function as it is. s_c = amax_c ** power: 1 gives every channel the same
range and the weights the whole spread, 0 leaves both as they are. What is best lies between and
differs from layer to layer, so it is measured on recorded inputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trm_edge.calibration.grid import LARGEST, round_to_grid, round_tokens, weight_scales
from trm_edge.calibration.recipe import Precision8
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.export.model import SwiGLU, TinyRecursiveModel


def swiglus(model: TinyRecursiveModel) -> dict[str, SwiGLU]:
    """The SwiGLU modules by name."""
    return {
        name: module for name, module in model.L_level.named_modules() if isinstance(module, SwiGLU)
    }


def channel_factors(amax: Tensor, power: float) -> Tensor:
    """s_c (C,) of channels with magnitudes up to ``amax`` (C,); 1 where a channel is always 0."""
    return torch.where(amax > 0, amax, torch.ones_like(amax)) ** power


@torch.no_grad()
def best_power(
    weight: Tensor,
    seen: InputStatistics,
    powers: Sequence[float],
    precision: Precision8,
    *,
    per_token: bool,
) -> float:
    """The power whose 8-bit product is nearest to the float one on the recorded inputs.

    Args:
        weight: (out, in) of the down-projection.
        seen: its inputs.
    """

    def error(power: float) -> float:
        factors = channel_factors(seen.amax, power)
        inputs, scaled = seen.sample / factors, weight * factors
        if per_token:
            rounded = round_tokens(inputs, precision)
        else:
            amax = float((seen.amax / factors).max())
            rounded = round_to_grid(inputs, max(amax, 1e-30) / LARGEST[precision], precision)
        kept = round_to_grid(scaled, weight_scales(scaled, precision), precision)
        return float((rounded @ kept.T - seen.sample @ weight.T).square().mean())

    return min(powers, key=error)


@torch.no_grad()
def equalise_product(module: SwiGLU, factors: Tensor) -> None:
    """Fold s_c (C,) of a SwiGLU's product into its weights, in place."""
    module.gate_up_proj.weight[len(factors) :] /= factors[:, None]  # rows of `up`
    module.down_proj.weight *= factors
