from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.calibration.qat.toys import FINETUNE, RECIPE, toy_entries
from tests.toys import BASE, VARIANTS, toy_model, toy_table
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.qat.labels import answers_to_learn
from trm_edge.calibration.qat.loop import Finetuning
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import Activations, QType
from trm_edge.errors import (
    CalibrationError,
)

pytestmark = pytest.mark.filterwarnings("ignore:fine-tuning on:trm_edge.errors.CalibrationWarning")


@pytest.mark.parametrize(
    ("name", "qtype", "activations"),
    [
        ("mlp", "int8", "per_token"),
        ("attention-rope", "fp8", "per_layer"),
        ("no-embedding-rope", "int4", "float"),
        ("q-continue", "int8", "per_call_site"),
    ],
)
def test_the_loss_falls_with_quantization_in_place(
    name: str, qtype: QType, activations: Activations
) -> None:
    config = VARIANTS[name]
    recipe = replace(RECIPE, activations=activations)
    finetune_recipe = FinetuneRecipe(steps=60, batch=6, lr=0.02, warmup=1)
    run = Finetuning(
        toy_model(config), toy_table(config), toy_entries(config), qtype, recipe, finetune_recipe
    )
    losses = [run.advance() for _ in range(finetune_recipe.steps)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_training_that_diverges_stops() -> None:
    model = toy_model(BASE)
    model.lm_head.weight[0, 0] = float("nan")
    with pytest.raises(
        CalibrationError,
        match=r"loss became nan in step 1 of fine-tuning\. Check .*lr, which is 0\.001",
    ):
        finetune(model, toy_table(BASE), toy_entries(), "int8", RECIPE, FINETUNE)


def test_the_content_has_the_labels_to_learn() -> None:
    model = toy_model(BASE)
    table = toy_table(BASE)
    entries = toy_entries()
    run = Finetuning(model, table, entries, "int8", RECIPE, FINETUNE)
    labels = answers_to_learn(model, table, entries, batch=4)
    assert torch.equal(run.content()["labels"], labels)
