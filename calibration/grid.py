"""The numbers that a quantized type can hold, times a scale: rounding in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.recipe import Activations, QType

# Largest magnitude that is used, symmetric.
LARGEST: dict[QType, float] = {"int8": 127.0, "fp8": 448.0, "int4": 7.0}
BLOCK = 32  # weights of one output channel that share a scale in INT4, as in MX formats
TINY = 1e-6  # a row smaller than this rounds to zero instead of dividing by it


def round_to_grid(values: Tensor, scale: Tensor | float, qtype: QType) -> Tensor:
    """The nearest ``scale * q`` with q in the type, saturating; ties to even."""
    scaled = (values / scale).clamp(-LARGEST[qtype], LARGEST[qtype])
    if qtype == "fp8":
        return scaled.to(torch.float8_e4m3fn).to(values.dtype) * scale
    return torch.round(scaled) * scale


def weight_scales(weight: Tensor, qtype: QType) -> Tensor:
    """Scales of a matrix (out, in): one an output channel (out, 1), INT4 one a block (out, n).

    A channel or block of zeros gets 1 / largest.
    """
    if qtype == "int4":
        missing = -weight.shape[1] % BLOCK
        padded = torch.nn.functional.pad(weight, (0, missing))
        amax = padded.view(len(weight), -1, BLOCK).abs().amax(2)
    else:
        amax = weight.abs().amax(1, keepdim=True)
    return torch.where(amax > 0, amax, torch.ones_like(amax)) / LARGEST[qtype]


def spread_scales(scales: Tensor, width: int, qtype: QType) -> Tensor:
    """The scales of ``weight_scales`` as one for each column: (out, width)."""
    if qtype == "int4":
        return scales.repeat_interleave(BLOCK, 1)[:, :width]
    return scales.expand(-1, width)


def round_weight(weight: Tensor, scales: Tensor, qtype: QType) -> Tensor:
    """A matrix (out, in) on the grid of ``weight_scales``."""
    return round_to_grid(weight, spread_scales(scales, weight.shape[1], qtype), qtype)


def round_tokens(h: Tensor, qtype: QType) -> Tensor:
    """Every row (..., K) on a grid that reaches its own largest magnitude."""
    amax = h.abs().amax(-1, keepdim=True).clamp(min=TINY)
    return round_to_grid(h, amax / LARGEST[qtype], qtype)


def round_inputs(h: Tensor, amax: float, qtype: QType, activations: Activations) -> Tensor:
    """Rows (..., K) as the graph rounds them before a product; ``amax`` where taken in advance."""
    if activations == "float":
        return h
    if activations == "per_token":
        return round_tokens(h, qtype)
    return round_to_grid(h, amax / LARGEST[qtype], qtype)
