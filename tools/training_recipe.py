"""What a training run starts from: its recipe, its first weights, attention that is fast here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trm_edge.calibration.qat.deep_supervision import EXPLORATION
from trm_edge.config import ModelConfig
from trm_edge.export.model import Attention, TinyRecursiveModel


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides a training run besides its data."""

    model: ModelConfig
    steps: int = 12_000
    decay_steps: int = 3_000  # linear decay of the learning rate at the end
    warmup_steps: int = 200
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.1  # of the network's matrices
    clip: float = 1.0
    ema: float = 0.999
    exploration: float = EXPLORATION
    seed: int = 0


def initialise(model: TinyRecursiveModel, generator: torch.Generator) -> None:
    """Truncated LeCun normal for matrices; the published special cases for the rest."""

    def fill(tensor: Tensor, std: float) -> None:
        nn.init.trunc_normal_(tensor, std=std, a=-2 * std, b=2 * std, generator=generator)

    width = model.config.hidden_size
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                fill(module.weight, module.in_features**-0.5)
        fill(model.embed_tokens.embedding_weight, width**-0.5)
        if model.config.pos_encodings == "learned":
            fill(model.embed_pos.embedding_weight, width**-0.5)
        model.q_head.weight.zero_()
        model.q_head.bias.fill_(-5.0)
        fill(model.H_init, 1.0)
        fill(model.L_init, 1.0)


class PlainAttention(Attention):
    """Attention in three operations: on a CPU and in bfloat16 a third of the fused one's time."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return scores.softmax(-1) @ value
