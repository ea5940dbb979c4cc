"""The weights that a training run starts from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trm_edge.config import ModelConfig
from trm_edge.export.model import RecursiveModel


def initial_model(config: ModelConfig, seed: int) -> RecursiveModel:
    """Make a model with random weights: truncated LeCun normal, and the published special cases.

    Args:
        config: the model's configuration.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    model = RecursiveModel(config)

    def fill(tensor: Tensor, std: float) -> None:
        nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std, generator=generator)

    width = config.hidden_size
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                fill(module.weight, module.in_features**-0.5)
        fill(model.embed_tokens.embedding_weight, width**-0.5)
        if config.pos_encodings == "learned":
            fill(model.embed_pos.embedding_weight, width**-0.5)
        model.q_head.weight.zero_()
        model.q_head.bias.fill_(-5.0)
        for initial in model.buffers():
            fill(initial, 1.0)
    return model
