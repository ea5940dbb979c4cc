"""Rounding to the values of a quantized type times a scale, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from trm_edge.calibration.recipe import Activations, QType

# Largest magnitude in use; ranges are symmetric.
LARGEST: dict[QType, float] = {"int8": 127.0, "fp8": 448.0, "int4": 7.0}
BLOCK = 32  # weights of an output channel that share a scale in INT4, as in MX formats
TINY = 1e-6  # a token smaller than this rounds to zero, so that nothing is divided by zero


def round_to_grid(values: Tensor, scale: Tensor | float, qtype: QType) -> Tensor:
    """Round to the nearest ``scale * q`` with q in the type, saturating; ties to even.

    Args:
        values: of any shape, float.
        scale: a number, or a tensor that broadcasts to ``values``.
        qtype: the quantized type.
    """
    scaled = (values / scale).clamp(-LARGEST[qtype], LARGEST[qtype])
    if qtype == "fp8":
        return scaled.to(torch.float8_e4m3fn).to(values.dtype) * scale
    return torch.round(scaled) * scale


def weight_scales(weight: Tensor, qtype: QType) -> Tensor:
    """Choose the scales of a matrix by its largest magnitudes.

    Args:
        weight: (out, in).
        qtype: the quantized type.

    Returns:
        One scale for each output channel (out, 1); for INT4 one for each block of a channel
        (out, blocks). A channel or block of zeros gets 1 / largest.
    """
    if qtype == "int4":
        padding = -weight.shape[1] % BLOCK
        padded = torch.nn.functional.pad(weight, (0, padding))
        amax = padded.view(len(weight), -1, BLOCK).abs().amax(2)
    else:
        amax = weight.abs().amax(1, keepdim=True)
    return torch.where(amax > 0, amax, torch.ones_like(amax)) / LARGEST[qtype]


def spread_scales(scales: Tensor, width: int, qtype: QType) -> Tensor:
    """Repeat the scales of :func:`weight_scales` for each column.

    Args:
        scales: (out, 1) or (out, blocks).
        width: number of columns.
        qtype: the quantized type.

    Returns:
        (out, width).
    """
    if qtype == "int4":
        return scales.repeat_interleave(BLOCK, 1)[:, :width]
    return scales.expand(-1, width)


def round_weight(weight: Tensor, scales: Tensor, qtype: QType) -> Tensor:
    """Round a matrix to its grid.

    Args:
        weight: (out, in).
        scales: of :func:`weight_scales`.
        qtype: the quantized type.

    Returns:
        (out, in), of the same type as ``weight``.
    """
    return round_to_grid(weight, spread_scales(scales, weight.shape[1], qtype), qtype)


def round_tokens(inputs: Tensor, qtype: QType) -> Tensor:
    """Round every token to a grid that reaches its own largest magnitude.

    Args:
        inputs: (..., K).
        qtype: the quantized type.
    """
    amax = inputs.abs().amax(-1, keepdim=True).clamp(min=TINY)
    return round_to_grid(inputs, amax / LARGEST[qtype], qtype)


def round_inputs(inputs: Tensor, amax: float, qtype: QType, activations: Activations) -> Tensor:
    """Round the inputs of a product as the graph does.

    Args:
        inputs: (..., K).
        amax: the range measured in calibration; unused with ``per_token`` and ``float``.
        qtype: the quantized type.
        activations: rounding of the layer; never ``per_token_products``.
    """
    if activations == "float":
        return inputs
    if activations == "per_token":
        return round_tokens(inputs, qtype)
    return round_to_grid(inputs, amax / LARGEST[qtype], qtype)
