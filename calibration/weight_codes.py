"""Weights as codes of the quantized type."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.calibration.grid import LARGEST, spread_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.recipe import QType

# NumPy type of the codes.
STORED: dict[QType, Any] = {
    "int8": np.int8,
    "fp8": ml_dtypes.float8_e4m3fn,
    "int4": ml_dtypes.int4,
}


def encode_weight(quantization: LayerQuantization, qtype: QType) -> NDArray[Any]:
    """Encode the weight of a layer.

    Args:
        quantization: of the layer.
        qtype: the quantized type.

    Returns:
        (out, in) in the type of ``STORED``.
    """
    weight = quantization.weight
    scales = torch.from_numpy(quantization.weight_scales)
    scaled = (weight / spread_scales(scales, weight.shape[1], qtype)).numpy()
    clipped = np.clip(scaled, -LARGEST[qtype], LARGEST[qtype])
    if qtype != "fp8":
        clipped = np.rint(clipped)
    codes: NDArray[Any] = clipped.astype(STORED[qtype])
    return codes
