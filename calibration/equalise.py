"""Equalisation of the channels of SwiGLU products, exact and at no cost at run time.

The input of a down-projection is silu(gate) * up, whose channels differ by a factor of hundreds;
a single INT8 scale leaves the small ones with a few levels. Since the product is linear in ``up``,
a factor 1/s_c on a channel's row of the up-projection and s_c on its column of the down-projection
leave the function unchanged. s_c = amax_c ** power: with power 1 every channel has the same range
and the weights carry the whole spread, 0 leaves both as they are. The best power lies in between
and differs from layer to layer, so it is measured on recorded inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trm_edge.architecture import layer_prefix
from trm_edge.calibration.grid import round_inputs
from trm_edge.calibration.recipe import Activations, QType
from trm_edge.calibration.rounding import NearestRounding
from trm_edge.calibration.saturation import round_layer
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.export.model import RecursiveModel
from trm_edge.export.network import SwiGLU


def swiglus(model: RecursiveModel) -> dict[str, SwiGLU]:
    """The SwiGLU modules by name.

    Args:
        model: the model.
    """
    modules = {}
    for network, blocks in model.networks.items():
        for name, module in blocks.named_modules():
            if isinstance(module, SwiGLU):
                modules[f"{layer_prefix(network)}{name}"] = module
    return modules


def channel_factors(amax: Tensor, power: float) -> Tensor:
    """Factors s_c (C,) of channels; 1 for a channel that is always 0.

    Args:
        amax: (C,) largest magnitude of each channel.
        power: within 0..1.
    """
    return torch.where(amax > 0, amax, torch.ones_like(amax)) ** power


@torch.no_grad()
def best_power(
    weight: Tensor,
    statistics: InputStatistics,
    powers: Sequence[float],
    qtype: QType,
    activations: Activations,
) -> float:
    """Find the power whose quantized product is nearest to the float one on recorded inputs.

    Args:
        weight: (out, in) of the down-projection.
        statistics: of its inputs.
        powers: to choose from; the first of equals is taken.
        qtype: the quantized type.
        activations: rounding of the inputs; never ``per_token_products``.
    """

    def error(power: float) -> float:
        factors = channel_factors(statistics.amax, power)
        scaled_inputs = statistics.sample / factors
        scaled_weight = weight * factors
        amax = max(float((statistics.amax / factors).max()), 1e-30)
        inputs = round_inputs(scaled_inputs, amax, qtype, activations)
        rounded, _ = round_layer(scaled_weight, qtype, activations, NearestRounding())
        return float((inputs @ rounded.T - statistics.sample @ weight.T).square().mean())

    return min(powers, key=error)


@torch.no_grad()
def equalise(
    model: RecursiveModel, amax: Mapping[str, Tensor], powers: Mapping[str, float]
) -> None:
    """Fold the channel factors of every SwiGLU product into the weights around it, in place.

    Args:
        model: the model to change.
        amax: (C,) largest magnitude of each input channel, by layer.
        powers: power by layer.
    """
    for name, module in swiglus(model).items():
        down = f"{name}.down_proj"
        factors = channel_factors(amax[down], powers[down])
        module.gate_up_proj.weight[len(factors) :] /= factors[:, None]  # rows of `up`
        module.down_proj.weight *= factors
