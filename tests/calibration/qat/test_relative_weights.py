from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.calibration.qat.toys import FINETUNE, RECIPE, toy_entries
from tests.toys import BASE, toy_model, toy_table
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.trajectories import linear_layers

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


def test_equalised_rows_are_learned_as_fast_as_others() -> None:
    """A product channel scaled down and its column up is the same function, and remains so."""
    models = [toy_model(BASE), toy_model(BASE)]
    swiglu = models[1].networks["L_level"].get_submodule("layers.0.mlp")
    up = swiglu.get_submodule("gate_up_proj").weight
    down = swiglu.get_submodule("down_proj").weight
    assert isinstance(up, torch.Tensor)
    assert isinstance(down, torch.Tensor)
    up[-256:] /= 512
    down *= 512
    name = "layers.0.mlp.gate_up_proj"
    recipe = replace(FINETUNE, lr=0.01)
    weights = []
    for model in models:
        tuned = finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, recipe)
        weights.append(linear_layers(tuned)[name].weight)
    plain, equalised = weights
    assert not torch.equal(plain, linear_layers(models[0])[name].weight)
    torch.testing.assert_close(plain[-256:], equalised[-256:] * 512, atol=2e-3, rtol=2e-2)
