"""INT8 weights whose integer products are exact on every CPU that ONNX Runtime has kernels for.

On x64 without VNNI, ONNX Runtime multiplies UINT8 inputs by INT8 weights with ``vpmaddubsw``: two
neighbouring products along K are added in 16 bits, and the sum saturates. The largest input is 255,
so no sum leaves 16 bits if no two neighbouring codes of an output channel add up to more than 128
in magnitude: 255 * 128 = 32,640. A scale for each output channel just large enough for that makes
the integers the same on AVX2, AVX-512, VNNI, AMX and Arm kernels, and costs no time.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.backends import integer_kernels
from trm_edge.backends.integer_kernels import PAIR_LIMIT
from trm_edge.calibration.grid import LARGEST, weight_scales
from trm_edge.calibration.recipe import Activations, QType
from trm_edge.calibration.rounding import NearestRounding
from trm_edge.errors import CalibrationError

_GROWTH = 1.005  # a scale that is still too small grows by this at least
_NEARBY = (0.96, 0.98, 0.99, 1.01, 1.02, 1.04)  # other scales that are tried for each channel
_LARGEST_GROWTH = 8.0  # more than this costs three bits: something is wrong with the inputs


def largest_pair_sum(codes: Tensor) -> Tensor:
    """Find the largest magnitude of the sum of two neighbours along K in each output channel.

    Args:
        codes: (out, in), weights or whole numbers.

    Returns:
        (out,) in the type of ``codes``.
    """
    if codes.shape[1] < 2:
        return codes.abs().amax(1)
    return (codes[:, 1:] + codes[:, :-1]).abs().amax(1)


def has_integer_products(qtype: QType, activations: Activations) -> bool:
    """Tell whether a layer is multiplied in integers, and so could saturate.

    Args:
        qtype: the quantized type.
        activations: rounding of the layer's inputs.
    """
    return qtype == "int8" and activations != "float"


def exact_scales(weight: Tensor) -> Tensor:
    """Choose the smallest INT8 scales at which the weights themselves do not saturate.

    Args:
        weight: (out, in) float32.

    Returns:
        (out, 1) float32. Rounding can still push a pair of codes over the limit; see
        :func:`round_without_saturation`.
    """
    pairs = largest_pair_sum(weight)[:, None]
    return torch.maximum(weight_scales(weight, "int8"), pairs / PAIR_LIMIT)


def round_layer(
    weight: Tensor, qtype: QType, activations: Activations, rounding: NearestRounding
) -> tuple[Tensor, Tensor]:
    """Choose the scales of a layer's weight and round it.

    Args:
        weight: (out, in) float32.
        qtype: the quantized type.
        activations: rounding of the layer's inputs.
        rounding: rounds output channels.

    Returns:
        The rounded weight (out, in), and its scales (out, 1), or (out, blocks) for INT4.

    Raises:
        CalibrationError: no scale keeps the products from saturating.
    """
    if has_integer_products(qtype, activations):
        return round_without_saturation(weight, rounding)
    scales = weight_scales(weight, qtype)
    return rounding.round(weight, scales, qtype), scales


def round_without_saturation(weight: Tensor, rounding: NearestRounding) -> tuple[Tensor, Tensor]:
    """Round a matrix to INT8 so that no kernel saturates, with scales as small as that allows.

    Args:
        weight: (out, in) float32.
        rounding: rounds output channels.

    Returns:
        The rounded weight (out, in) and its scales (out, 1). Of a few scales near the smallest,
        each channel has the one that changes its output least.

    Raises:
        CalibrationError: no scale is found, because compensation pushes the codes up without bound.
    """
    smallest = exact_scales(weight)
    scales = smallest.clone()
    rounded = rounding.round(weight, scales, "int8")
    while True:
        sums = largest_pair_sum(torch.round(rounded / scales))
        rows = torch.nonzero(sums > PAIR_LIMIT).flatten()
        if not len(rows):
            break
        growth = (sums[rows] / PAIR_LIMIT).clamp(min=_GROWTH)
        scales[rows] *= growth[:, None]
        if not (scales <= _LARGEST_GROWTH * smallest).all():
            raise CalibrationError(
                f"{len(rows)} of {len(weight)} output channels keep saturating INT8 products on "
                "CPUs without VNNI. Calibrate on more varied puzzles."
            )
        rounded[rows] = rounding.round(weight[rows], scales[rows], "int8")
    return _best_nearby(weight, rounding, rounded, scales)


def _best_nearby(
    weight: Tensor, rounding: NearestRounding, rounded: Tensor, scales: Tensor
) -> tuple[Tensor, Tensor]:
    """Try scales near those found, and keep for each channel the one with the smallest error."""
    errors = rounding.errors(weight, rounded)
    best_rounded = rounded
    best_scales = scales
    for factor in _NEARBY:
        candidate_scales = scales * factor
        candidate = rounding.round(weight, candidate_scales, "int8")
        sums = largest_pair_sum(torch.round(candidate / candidate_scales))
        candidate_errors = rounding.errors(weight, candidate)
        better = (sums <= PAIR_LIMIT) & (candidate_errors < errors)
        errors = torch.where(better, candidate_errors, errors)
        best_rounded = torch.where(better[:, None], candidate, best_rounded)
        best_scales = torch.where(better[:, None], candidate_scales, best_scales)
    return best_rounded, best_scales


def saturates(codes: NDArray[np.int8]) -> bool:
    """Tell whether products with these codes can saturate on some CPU.

    Args:
        codes: (out, in) int8.
    """
    return integer_kernels.largest_pair_sum(codes.T) > PAIR_LIMIT


def require_no_saturation(codes: NDArray[np.int8], name: str) -> None:
    """Refuse a matrix whose products could saturate on some CPU.

    Args:
        codes: (out, in) int8.
        name: of the matrix, for the message.

    Raises:
        CalibrationError: two neighbouring codes add up to too much, or a code is -128.
    """
    largest = integer_kernels.largest_pair_sum(codes.T)
    if largest > PAIR_LIMIT:
        raise CalibrationError(
            f"{name}: two neighbouring INT8 weights add up to {largest}, and more than "
            f"{PAIR_LIMIT} saturates on x64 CPUs without VNNI. Calibrate again."
        )
    if int(codes.min(initial=0)) < -LARGEST["int8"]:
        raise CalibrationError(f"{name}: INT8 weights must lie in -127..127, but one is -128.")
