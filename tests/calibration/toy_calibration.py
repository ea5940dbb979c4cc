"""Toy models calibrated for tests."""

from __future__ import annotations

import torch

from tests.toys import toy_model, toy_table, toy_tokens
from trm_edge.calibration.calibrate import Calibration, calibrate
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.packed_weight import round_again
from trm_edge.calibration.recipe import Activations, CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.config import ModelConfig
from trm_edge.export.model import RecursiveModel
from trm_edge.puzzle import Puzzle


def toy_calibration(
    config: ModelConfig, qtype: QType, activations: Activations = "per_layer"
) -> Calibration:
    """A calibrated toy with a bias at every product."""
    puzzles = [Puzzle(tokens) for tokens in toy_tokens(config, 4)]
    recipe = CalibrationRecipe(puzzles=4, activations=activations, bias_correction=True)
    return calibrate(toy_model(config), toy_table(config), puzzles, qtype, recipe)


def toy_layer(
    model: RecursiveModel,
    layer: str,
    qtype: QType = "int8",
    activations: Activations = "per_layer",
    amax: float = 1.0,
) -> LayerQuantization:
    """The quantization of one layer with plain rounding and a range of choice."""
    weight = linear_layers(model)[layer].weight.detach()
    rounded, scales = round_again(weight, qtype, activations)
    channels = torch.ones(weight.shape[1])
    return LayerQuantization(activations, (amax,), rounded, scales.numpy(), 0.0, channels)
