"""Round a weight matrix so that its output stays, on the inputs that it really sees.

Columns are rounded one after the other, and the error of each is made up for by those that are
still free, weighted by how the inputs go together (GPTQ, arXiv 2210.17323; the order is by the
strength of the inputs). In a recursion every layer is applied hundreds of times, so what is gained
here is gained in every pass, at no cost at run time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.grid import round_to_grid, round_weight, spread_scales
from trm_edge.calibration.recipe import QType

_DAMPING = 0.01  # of the mean input power, so that inputs never seen do not blow up


def round_compensated(weight: Tensor, scales: Tensor, gram: Tensor, qtype: QType) -> Tensor:
    """The rounded weight (out, in) float32, on the grid of ``scales`` (see ``weight_scales``).

    Args:
        gram: (in, in) mean outer product of the inputs, float64.
    """
    power = gram.diagonal()
    mean = float(power.mean())
    if not mean > 0:
        return round_weight(weight, scales, qtype)
    order = torch.argsort(power, descending=True, stable=True)
    damped = gram[order][:, order] + _DAMPING * mean * torch.eye(len(gram), dtype=gram.dtype)
    # Row k of this factor says how the error of column k spreads over the columns after it.
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    spread = torch.linalg.cholesky(inverse, upper=True)
    free = weight[:, order].double()
    steps = spread_scales(scales, weight.shape[1], qtype)[:, order].double()
    rounded = torch.zeros_like(free)
    for k in range(free.shape[1]):
        rounded[:, k] = round_to_grid(free[:, k], steps[:, k], qtype)
        error = (free[:, k] - rounded[:, k]) / spread[k, k]
        free[:, k:] -= error[:, None] * spread[k, k:]
    return rounded[:, torch.argsort(order)].float()
