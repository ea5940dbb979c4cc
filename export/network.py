"""The networks of the recursive models in plain PyTorch, read from top to bottom.

Mirrors ``models/layers.py`` of the published code (arXiv 2510.04871) and the block in its
``trm.py``: attention or an MLP over positions, then SwiGLU, each with a residual and RMSNorm.
Module names are those of its ``state_dict``, so weights load by name. Shapes in comments:
B batch, P prefix, L tokens, S = P + L, D hidden.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_edge.config import ModelConfig, swiglu_width


def rms_norm(h: Tensor, eps: float) -> Tensor:
    """RMSNorm over the last axis without weights, computed in float32.

    Args:
        h: (..., D) in any float type, which is the result's.
        eps: added to the mean square.
    """
    wide = h.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(h.dtype)


class SwiGLU(nn.Module):
    """SwiGLU without biases; gate and up in one projection.

    Args:
        width: features of input and output.
        expansion: hidden width over ``width``, before rounding (:func:`swiglu_width`).
    """

    def __init__(self, width: int, expansion: float) -> None:
        super().__init__()
        inner = swiglu_width(width, expansion)
        self.gate_up_proj = nn.Linear(width, 2 * inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        """down(silu(gate(h)) * up(h)).

        Args:
            h: (..., width).
        """
        gate, up = self.gate_up_proj(h).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)


def rope_tables(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Tables of cos and sin, each (S, head_dim) float32; the two halves of a row are equal.

    Args:
        config: the model's configuration.
    """
    half = torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim
    positions = torch.arange(config.carry_len, dtype=torch.float32)
    angles = torch.outer(positions, 1.0 / config.rope_theta**half)  # (S, head_dim / 2)
    both = torch.cat((angles, angles), dim=-1)
    return both.cos(), both.sin()


def rotate(h: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding, computed in the tables' float32.

    Args:
        h: (B, S, heads, head_dim).
        cos: (S, head_dim) float32.
        sin: (S, head_dim) float32.
    """
    first, second = h.to(cos.dtype).chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return (h * cos[:, None] + turned * sin[:, None]).to(h.dtype)


class Attention(nn.Module):
    """Non-causal multi-head attention; qkv in one projection, no bias.

    Args:
        config: the model's configuration.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.head_dim = config.head_dim
        self.qkv_proj = nn.Linear(config.hidden_size, 3 * config.attention_width, bias=False)
        self.o_proj = nn.Linear(config.attention_width, config.hidden_size, bias=False)

    def forward(self, h: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        """Mix positions.

        Args:
            h: (B, S, D).
            rope: tables of cos and sin, or None for no rotary embedding.
        """
        batch, length, _ = h.shape
        qkv = self.qkv_proj(h).view(batch, length, 3 * self.heads, self.head_dim)
        query, key, value = qkv.chunk(3, dim=2)  # (B, S, heads, head_dim) each
        if rope is not None:
            query = rotate(query, *rope)
            key = rotate(key, *rope)
        mixed = self.attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
        return self.o_proj(mixed.transpose(1, 2).flatten(2))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(head_dim)) v.

        Args:
            query: (B, heads, S, head_dim).
            key: (B, heads, S, head_dim).
            value: (B, heads, S, head_dim).
        """
        return F.scaled_dot_product_attention(query, key, value)


class Block(nn.Module):
    """Post-norm block: mix positions, then features.

    Args:
        config: the model's configuration.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.eps = config.rms_norm_eps
        if config.mlp_t:
            self.mlp_t = SwiGLU(config.carry_len, config.expansion)
        else:
            self.self_attn = Attention(config)
        self.mlp = SwiGLU(config.hidden_size, config.expansion)
        self.mixes_by_mlp = config.mlp_t

    def forward(self, h: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        """Apply the block.

        Args:
            h: (B, S, D).
            rope: tables of cos and sin, or None for no rotary embedding.
        """
        if self.mixes_by_mlp:
            across = h.transpose(1, 2)  # (B, D, S); the norm runs over positions here
            h = rms_norm(across + self.mlp_t(across), self.eps).transpose(1, 2)
        else:
            h = rms_norm(h + self.self_attn(h, rope), self.eps)
        return rms_norm(h + self.mlp(h), self.eps)


class Network(nn.Module):
    """A network that updates states.

    Args:
        config: the model's configuration.
        blocks: number of its blocks.
    """

    def __init__(self, config: ModelConfig, blocks: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config) for _ in range(blocks))

    def forward(self, h: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        """Apply all blocks: one pass of the network.

        Args:
            h: (B, S, D).
            rope: tables of cos and sin, or None for no rotary embedding.
        """
        for layer in self.layers:
            h = layer(h, rope)
        return h


class Embedding(nn.Module):
    """A table under the published name ``embedding_weight``.

    Args:
        rows: number of entries.
        width: features of an entry.
    """

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embedding_weight = nn.Parameter(torch.zeros(rows, width))
