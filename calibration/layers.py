"""The quantization of each matrix product of a network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.recipe import Activations


@dataclass(frozen=True)
class LayerQuantization:
    """The quantization of one layer, the same at all of its call sites but for the input's range.

    Args:
        activations: rounding of the input; never ``per_token_products``.
        amax: largest magnitude of the input that is represented, over all carries: one value, or
            one for each call site with ``per_call_site``. For information only with ``per_token``
            and ``float``.
        weight: (out, in) float32 on the grid of its scales.
        weight_scales: (out, 1), or (out, blocks) for INT4.
        equalisation: power of ``channel_amax`` that the input channels were divided by.
        channel_amax: (in,) largest magnitude of each input channel before equalisation.
        bias: (out,) added to the product, or None.
    """

    activations: Activations
    amax: tuple[float, ...]
    weight: Tensor
    weight_scales: NDArray[np.float32]
    equalisation: float
    channel_amax: Tensor
    bias: NDArray[np.float32] | None = None

    def part(self, index: int, count: int) -> LayerQuantization:
        """Split off an equal share of the output channels as a layer of its own.

        Args:
            index: number of the share, from 0.
            count: number of shares.
        """
        size = len(self.weight) // count
        channels = slice(index * size, (index + 1) * size)
        bias = self.bias
        if bias is not None:
            bias = bias[channels]
        return replace(
            self,
            weight=self.weight[channels],
            weight_scales=self.weight_scales[channels],
            bias=bias,
        )
