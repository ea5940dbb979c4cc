"""The rounded weight of a layer in ``calibration.json``: its codes and scales as text, and back."""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.grid import spread_scales, weight_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.recipe import Activations, QType
from trm_edge.calibration.rounding import NearestRounding
from trm_edge.calibration.saturation import has_integer_products, round_layer, saturates
from trm_edge.calibration.weight_codes import STORED, encode_weight
from trm_edge.calibration_record import LayerRecord

_SCALE = np.dtype("<f4")


def encode_codes(quantization: LayerQuantization, qtype: QType) -> str:
    """Encode the codes of a weight.

    Args:
        quantization: of the layer.
        qtype: the quantized type.

    Returns:
        (out, in) bytes, compressed with zlib, in base64.
    """
    codes = encode_weight(quantization, qtype)
    if qtype == "int4":
        codes = codes.astype(np.int8)
    return _pack(codes.tobytes())


def encode_scales(quantization: LayerQuantization) -> str:
    """Encode the scales of a weight.

    Args:
        quantization: of the layer.

    Returns:
        (out, 1) or (out, blocks) float32 of little endian, compressed with zlib, in base64.
    """
    return _pack(quantization.weight_scales.astype(_SCALE).tobytes())


def decode_weight(
    weight: Tensor, record: LayerRecord, qtype: QType, activations: Activations
) -> tuple[Tensor, Tensor]:
    """Decode a weight that was rounded with compensation.

    Args:
        weight: (out, in) float32, equalised and not rounded.
        record: of the layer.
        qtype: the quantized type.
        activations: rounding of the layer's inputs.

    Returns:
        The rounded weight (out, in) float32 and its scales.

    Raises:
        ValueError: codes are missing or damaged, or the products would saturate.
    """
    if record.codes is None:
        raise ValueError("the codes of weights rounded with compensation are missing")
    codes = _decode_codes(record.codes, weight.shape, qtype)
    scales = weight_scales(weight, qtype)
    if record.weight_scales is not None:
        scales = _decode_scales(record.weight_scales, scales.shape)
    if has_integer_products(qtype, activations) and saturates(codes.numpy().astype(np.int8)):
        raise ValueError(
            "its INT8 weights saturate on CPUs without VNNI, as those of earlier versions did"
        )
    return codes * spread_scales(scales, weight.shape[1], qtype), scales


def round_again(weight: Tensor, qtype: QType, activations: Activations) -> tuple[Tensor, Tensor]:
    """Round a weight whose codes follow from the checkpoint.

    Args:
        weight: (out, in) float32, equalised.
        qtype: the quantized type.
        activations: rounding of the layer's inputs.

    Returns:
        The rounded weight (out, in) float32 and its scales.
    """
    return round_layer(weight, qtype, activations, NearestRounding())


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _unpack(text: str, size: int, content_name: str) -> bytes:
    """Unpack exactly this many bytes; nothing larger is allocated."""
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(content) != size:
        raise ValueError(f"its {content_name} are not the {size} bytes of a weight")
    return content


def _decode_codes(text: str, shape: tuple[int, ...], qtype: QType) -> Tensor:
    stored = STORED[qtype]
    if qtype == "int4":
        stored = np.int8
    content = _unpack(text, math.prod(shape), "codes")  # a byte each
    codes: NDArray[Any] = np.frombuffer(content, stored).reshape(shape)
    values = codes.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("its codes hold values that are not finite")
    return torch.from_numpy(values)


def _decode_scales(text: str, shape: tuple[int, ...]) -> Tensor:
    content = _unpack(text, math.prod(shape) * _SCALE.itemsize, "scales")
    scales = np.frombuffer(content, _SCALE).astype(np.float32).reshape(shape)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise ValueError("a weight scale is not a positive number")
    return torch.from_numpy(scales)
