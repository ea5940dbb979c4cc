from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tests.calibration.toy_calibration import toy_layer
from tests.toys import BASE, toy_model


def test_parts_make_up_the_layer() -> None:
    layer = toy_layer(toy_model(BASE), "layers.0.mlp.gate_up_proj")
    bias = np.arange(len(layer.weight), dtype=np.float32)
    layer = replace(layer, bias=bias)
    parts = [layer.part(index, 2) for index in range(2)]
    assert torch.equal(torch.cat([part.weight for part in parts]), layer.weight)
    scales = np.concatenate([part.weight_scales for part in parts])
    np.testing.assert_array_equal(scales, layer.weight_scales)
    assert parts[0].bias is not None
    assert parts[1].bias is not None
    np.testing.assert_array_equal(np.concatenate([parts[0].bias, parts[1].bias]), bias)
    assert parts[0].amax == layer.amax


def test_a_part_without_a_bias_has_none() -> None:
    layer = toy_layer(toy_model(BASE), "layers.0.mlp.gate_up_proj")
    assert layer.part(1, 2).bias is None
