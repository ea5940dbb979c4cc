"""Equalise the channels of the SwiGLU product, exactly and at no cost at run time.

The input of a down-projection is silu(gate) * up, whose channels differ by a factor of hundreds;
one INT8 scale for all of them leaves the small ones with a few levels. Since the product is linear
in ``up``, a factor 1/s_c on a channel's row of the up-projection and s_c on its column of the
down-projection leave the function as it is. s_c = amax_c ** power: 1 gives every channel the same
range and the weights the whole spread, 0 leaves both as they are. What is best lies between and
differs from layer to layer, so it is measured on recorded inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trm_edge.calibration.grid import round_inputs, round_weight, weight_scales
from trm_edge.calibration.recipe import Activations, QType
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
    qtype: QType,
    activations: Activations,
) -> float:
    """The power whose quantized product is nearest to the float one on the recorded inputs.

    Args:
        weight: (out, in) of the down-projection.
        seen: its inputs.
    """

    def error(power: float) -> float:
        factors = channel_factors(seen.amax, power)
        inputs, scaled = seen.sample / factors, weight * factors
        amax = max(float((seen.amax / factors).max()), 1e-30)
        rounded = round_inputs(inputs, amax, qtype, activations)
        kept = round_weight(scaled, weight_scales(scaled, qtype), qtype)
        return float((rounded @ kept.T - seen.sample @ weight.T).square().mean())

    return min(powers, key=error)


@torch.no_grad()
def equalise(
    model: TinyRecursiveModel, amax: Mapping[str, Tensor], powers: Mapping[str, float]
) -> None:
    """Fold s_c of every SwiGLU's product into the weights around it, in place.

    Args:
        amax: largest magnitude of each input channel, by layer.
        powers: by layer.
    """
    for name, module in swiglus(model).items():
        down = f"{name}.down_proj"
        factors = channel_factors(amax[down], powers[down])
        module.gate_up_proj.weight[len(factors) :] /= factors[:, None]  # rows of `up`
        module.down_proj.weight *= factors
