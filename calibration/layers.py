"""How each matrix product of a network is quantized."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.recipe import Activations


@dataclass(frozen=True)
class LayerQuantization:
    """One layer: the same at all of its call sites, but for its input's range where asked for."""

    activations: Activations
    # Largest magnitude of its input that is kept, over all carries; one for each call site where
    # the recipe says so. With "per_token" and "float" it is for information.
    amax: tuple[float, ...]
    weight: Tensor  # (out, in) float32 on the grid of its scales
    weight_scales: NDArray[np.float32]  # (out, 1), or (out, blocks) for INT4
    equalisation: float  # power of `channel_amax` that its input channels were divided by
    channel_amax: Tensor  # (in,) of its input before that
    bias: NDArray[np.float32] | None = None  # (out,), added to the product

    def amax_at(self, site: int) -> float:
        """The range at a call site: the n-th pass of the network in a step, from 0."""
        return self.amax[site if len(self.amax) > 1 else 0]

    def part(self, index: int, count: int) -> LayerQuantization:
        """One of ``count`` equal shares of its output channels, as a layer of its own."""
        size = len(self.weight) // count
        rows = slice(index * size, (index + 1) * size)
        bias = None if self.bias is None else self.bias[rows]
        return replace(
            self, weight=self.weight[rows], weight_scales=self.weight_scales[rows], bias=bias
        )
