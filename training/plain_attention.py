"""Attention for training on a CPU."""

from __future__ import annotations

from torch import Tensor

from trm_edge.export.model import RecursiveModel
from trm_edge.export.network import Attention


class PlainAttention(Attention):
    """Attention in three operations: on a CPU in bfloat16, three times as fast as the fused one."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend without a mask.

        Args:
            query: (B, heads, L, head_dim).
            key: (B, heads, L, head_dim).
            value: (B, heads, L, head_dim).
        """
        scores: Tensor = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return scores.softmax(-1) @ value


def use_plain_attention(model: RecursiveModel) -> None:
    """Replace the attention of a model, which keeps its weights.

    Args:
        model: changed in place.
    """
    for module in model.modules():
        if isinstance(module, Attention):
            module.__class__ = PlainAttention
