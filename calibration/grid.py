"""The numbers that an 8-bit type can hold, times a scale: rounding in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.recipe import Precision8

# Largest magnitude that is used, symmetric.
LARGEST: dict[Precision8, float] = {"int8": 127.0, "fp8": 448.0}


def round_to_grid(values: Tensor, scale: Tensor | float, precision: Precision8) -> Tensor:
    """The nearest ``scale * q`` with q in the type, saturating; ties to even."""
    scaled = (values / scale).clamp(-LARGEST[precision], LARGEST[precision])
    if precision == "int8":
        return torch.round(scaled) * scale
    return scaled.to(torch.float8_e4m3fn).to(values.dtype) * scale


def weight_scales(weight: Tensor, precision: Precision8) -> Tensor:
    """One scale an output channel: (out, in) to (out, 1); 1 / largest for a row of zeros."""
    amax = weight.abs().amax(1, keepdim=True)
    return torch.where(amax > 0, amax, torch.ones_like(amax)) / LARGEST[precision]


def round_tokens(h: Tensor, precision: Precision8) -> Tensor:
    """Every row (..., K) on a grid that reaches its own largest magnitude."""
    amax = h.abs().amax(-1, keepdim=True).clamp(min=TINY)
    return round_to_grid(h, amax / LARGEST[precision], precision)


TINY = 1e-6  # a row smaller than this rounds to zero instead of dividing by it
