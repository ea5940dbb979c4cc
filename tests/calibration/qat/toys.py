"""Toy fine-tunings for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.toys import BASE, toy_model, toy_table, toy_tokens
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.config import ModelConfig
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Entry

FINETUNE = FinetuneRecipe(steps=6, batch=4, warmup=1)
RECIPE = CalibrationRecipe(puzzles=4, batch=2)


def toy_entries(config: ModelConfig = BASE, count: int = 6) -> list[Entry]:
    """Puzzles in which every cell's answer is the next id; the first has no known answer."""
    entries = []
    for index, tokens in enumerate(toy_tokens(config, count)):
        answer = None
        if index:
            answer = np.maximum((tokens + 1) % config.vocab_size, 1).astype(np.int32)
        puzzle = Puzzle(tokens, index % config.num_puzzle_identifiers)
        entries.append(Entry(puzzle, index + 1, answer))
    return entries


def tuned(
    finetune_recipe: FinetuneRecipe = FINETUNE,
    state: Path | None = None,
    recipe: CalibrationRecipe = RECIPE,
) -> dict[str, torch.Tensor]:
    """The weights of the base toy, fine-tuned."""
    entries = toy_entries()
    model = finetune(
        toy_model(BASE), toy_table(BASE), entries, "int8", recipe, finetune_recipe, state
    )
    return dict(model.state_dict())


def same_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    if left.keys() != right.keys():
        return False
    return all(torch.equal(left[name], right[name]) for name in left)
