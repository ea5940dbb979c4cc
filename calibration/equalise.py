"""Equalise the channels of the SwiGLU product, exactly and at no cost at run time.

The input of a down-projection is silu(gate) * up, whose channels differ by a factor of hundreds;
one INT8 scale for all of them leaves the small ones with a few levels. Since the product is linear
in ``up``, a factor 1/s_c on a channel's row of the up-projection and s_c on its column of the
down-projection leave the function as it is, and every channel with the same range.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.ranges import ChannelMax
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.export.model import SwiGLU, TinyRecursiveModel


def swiglus(model: TinyRecursiveModel) -> dict[str, SwiGLU]:
    """The SwiGLU modules by name."""
    return {
        name: module for name, module in model.L_level.named_modules() if isinstance(module, SwiGLU)
    }


def product_observers(model: TinyRecursiveModel) -> dict[str, ChannelMax]:
    """One channel-wise maximum for the input of every down-projection, by layer name."""
    return {name: ChannelMax() for name in linear_layers(model) if name.endswith("down_proj")}


def channel_factors(amax: Tensor, power: float) -> Tensor:
    """s_c (C,) of channels with magnitudes up to ``amax`` (C,); 1 where a channel is always 0."""
    return torch.where(amax > 0, amax, torch.ones_like(amax)) ** power


@torch.no_grad()
def equalise_products(model: TinyRecursiveModel, factors: dict[str, Tensor]) -> None:
    """Fold s_c (C,) of each named SwiGLU into its weights, in place.

    ``factors`` is keyed by the down-projection's layer name.
    """
    for name, module in swiglus(model).items():
        s = factors.get(f"{name}.down_proj")
        if s is None:
            continue
        module.gate_up_proj.weight[len(s) :] /= s[:, None]  # rows of `up`
        module.down_proj.weight *= s
