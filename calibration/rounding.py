"""Rounding of weights: to the nearest value, or so that the output is preserved on recorded inputs.

Compensated rounding takes columns one after the other, and the columns still to come make up for
the error of each, weighted by the correlation of the inputs (GPTQ, arXiv 2210.17323; the order is
by the power of the inputs). A recursion applies every layer hundreds of times, so the gain counts
in every pass, at no cost at run time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.grid import round_to_grid, round_weight, spread_scales
from trm_edge.calibration.recipe import QType

_DAMPING = 0.01  # of the mean input power, so that unused inputs do not blow up


class NearestRounding:
    """Rounding of every weight to the nearest value of its grid."""

    def round(self, weight: Tensor, scales: Tensor, qtype: QType) -> Tensor:
        """Round output channels to their grid.

        Args:
            weight: (out, in) float32.
            scales: of :func:`~trm_edge.calibration.grid.weight_scales`, or larger.
            qtype: the quantized type.

        Returns:
            (out, in) float32.
        """
        return round_weight(weight, scales, qtype)

    def errors(self, weight: Tensor, rounded: Tensor) -> Tensor:
        """Measure what rounding changes in each output channel.

        Args:
            weight: (out, in) float32.
            rounded: (out, in) float32.

        Returns:
            Squared errors (out,) float64.
        """
        return (rounded - weight).double().square().sum(1)


class CompensatedRounding(NearestRounding):
    """Rounding that preserves one layer's output; output channels are independent of each other.

    Args:
        gram: (in, in) float64, mean outer product of the inputs.
    """

    def __init__(self, gram: Tensor) -> None:
        self._gram = gram
        power = gram.diagonal()
        mean = float(power.mean())
        self._inputs_are_zero = not mean > 0
        if self._inputs_are_zero:
            return
        self._order = torch.argsort(power, descending=True, stable=True)
        ordered = gram[self._order][:, self._order]
        damped = ordered + _DAMPING * mean * torch.eye(len(gram), dtype=gram.dtype)
        # Row k of this factor holds how the error of column k spreads over the columns after it.
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
        self._spread = torch.linalg.cholesky(inverse, upper=True)

    def round(self, weight: Tensor, scales: Tensor, qtype: QType) -> Tensor:
        """Round output channels to their grid.

        Args:
            weight: (out, in) float32.
            scales: of :func:`~trm_edge.calibration.grid.weight_scales`, or larger.
            qtype: the quantized type.

        Returns:
            (out, in) float32.
        """
        if self._inputs_are_zero:
            return round_weight(weight, scales, qtype)
        remaining = weight[:, self._order].double()
        steps = spread_scales(scales, weight.shape[1], qtype)[:, self._order].double()
        rounded = torch.zeros_like(remaining)
        for k in range(remaining.shape[1]):
            rounded[:, k] = round_to_grid(remaining[:, k], steps[:, k], qtype)
            error = (remaining[:, k] - rounded[:, k]) / self._spread[k, k]
            remaining[:, k:] -= error[:, None] * self._spread[k, k:]
        return rounded[:, torch.argsort(self._order)].float()

    def errors(self, weight: Tensor, rounded: Tensor) -> Tensor:
        """Measure what rounding changes in the output of each channel, on the recorded inputs.

        Args:
            weight: (out, in) float32.
            rounded: (out, in) float32.

        Returns:
            Mean squared errors (out,) float64.
        """
        difference = (rounded - weight).double()
        return ((difference @ self._gram) * difference).sum(1)
