"""The published model configurations, and models of these sizes with random weights."""

from __future__ import annotations

import torch

from trm_edge.config import ModelConfig
from trm_edge.export.arch_settings import arch_settings
from trm_edge.export.model import RecursiveModel
from trm_edge.export.presets import PRESETS


def published_config(preset: str) -> ModelConfig:
    """Configure a published model as its trainer does, with one row of puzzle embeddings.

    Args:
        preset: name for ``trm-edge config --arch``.
    """
    settings = PRESETS[preset]
    known = arch_settings(settings.name, preset)
    values = {**known.defaults, **known.fixed, **settings.values, "num_puzzle_identifiers": 1}
    return ModelConfig(architecture=known.architecture, **values)


SIZES = {
    "Sudoku MLP": published_config("sudoku-mlp"),
    "Sudoku attention": published_config("sudoku-attention"),
    "Maze and ARC attention": published_config("arc-1"),
}


def random_model(name: str) -> RecursiveModel:
    """Make a model of a published size with random weights from a fixed seed.

    Args:
        name: one of ``SIZES``.
    """
    return random_model_of(SIZES[name])


def random_model_of(config: ModelConfig) -> RecursiveModel:
    """Make a model of any size with random weights from a fixed seed.

    Args:
        config: of the model.
    """
    torch.manual_seed(0)
    model = RecursiveModel(config).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape) * 0.02)
    return model
