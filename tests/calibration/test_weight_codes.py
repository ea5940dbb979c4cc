from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from tests.calibration.toy_calibration import toy_layer
from tests.toys import BASE, toy_model
from trm_edge.calibration.weight_codes import encode_weight


def test_encoding_saturates_and_rounds_to_even() -> None:
    quantization = toy_layer(toy_model(BASE), "layers.0.mlp.down_proj")
    row = torch.tensor([[0.5, 1.5, -200.0, 300.0]])
    quantization = replace(quantization, weight=row, weight_scales=np.ones((1, 1), np.float32))
    assert encode_weight(quantization, "int8").tolist() == [[0, 2, -127, 127]]
    assert encode_weight(quantization, "int4").astype(np.int32).tolist() == [[0, 2, -7, 7]]
    codes = encode_weight(replace(quantization, weight=torch.tensor([[500.0, -1.0]])), "fp8")
    assert codes.astype(np.float32).tolist() == [[448.0, -1.0]]
