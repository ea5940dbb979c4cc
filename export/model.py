"""The recursive models in plain PyTorch, read from top to bottom.

Mirrors ``models/recursive_reasoning/trm.py`` of the published code (arXiv 2510.04871, section 4)
and its relatives, whose networks, states and updates are in :mod:`trm_edge.architecture`. Module
names are those of its ``state_dict``, so weights load by name. Shapes in comments: B batch,
L tokens, P prefix, S = P + L, D hidden, E puzzle embedding, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trm_edge.architecture import INPUT, Terms, Update
from trm_edge.config import ModelConfig, swiglu_width

# States that one ACT (adaptive computation time) step hands to the next: (B, S, D) by name.
Carry = dict[str, Tensor]


class StepOutput(NamedTuple):
    """Output of one ACT step: the new carry, the answer's logits and the halting head's."""

    carry: Carry
    logits: Tensor  # (B, L, V) float32
    q_halt: Tensor  # (B,) float32
    q_continue: Tensor  # (B,) float32


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


class RecursiveModel(nn.Module):
    """One ACT step of any architecture as a module; the loop over steps belongs to the caller.

    Args:
        config: the model's configuration. Weights are zero or random until they are loaded.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.recursion = config.recursion
        self.updates = tuple(self.recursion.updates(config))
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        if config.pos_encodings == "learned":
            self.embed_pos = Embedding(config.carry_len, config.hidden_size)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.q_head = nn.Linear(config.hidden_size, 2, bias=True)
        for network, blocks in self.recursion.layers.items():
            self.add_module(network, Network(config, getattr(config, blocks)))
        for initial in self.recursion.initial.values():
            self.register_buffer(initial, torch.zeros(config.hidden_size))
        self.rope: tuple[Tensor, Tensor] | None = None
        if config.pos_encodings == "rope" and not config.mlp_t:
            self.rope = rope_tables(config)

    @property
    def dtype(self) -> torch.dtype:
        """Type that the model computes in."""
        return self.embed_tokens.embedding_weight.dtype

    @property
    def networks(self) -> dict[str, Network]:
        """The networks by their names in the checkpoint."""
        networks = {}
        for name in self.recursion.layers:
            network = self.get_submodule(name)
            if not isinstance(network, Network):
                raise TypeError(f"{name} is a {type(network).__name__}, expected a Network")
            networks[name] = network
        return networks

    def initial_state(self, name: str) -> Tensor:
        """The vector (D,) that a state starts from at every position.

        Args:
            name: of the state.
        """
        return self.get_buffer(self.recursion.initial[name])

    def embed(self, tokens: Tensor, puzzle_embedding: Tensor | None) -> Tensor:
        """The injected input x, (B, S, D).

        Args:
            tokens: (B, L) integer ids.
            puzzle_embedding: (B, E), or None where the model has no table.
        """
        x = F.embedding(tokens, self.embed_tokens.embedding_weight)  # (B, L, D)
        prefix = self.config.prefix_len
        width = self.config.hidden_size
        if puzzle_embedding is not None:
            padded = F.pad(puzzle_embedding, (0, prefix * width - puzzle_embedding.shape[-1]))
            x = torch.cat((padded.view(-1, prefix, width).to(x.dtype), x), dim=1)
        if self.config.pos_encodings == "learned":
            # upstream: scaled by 1/sqrt(2) to keep the variance of the sum
            x = 0.707106781 * (x + self.embed_pos.embedding_weight)
        return math.sqrt(width) * x

    def initial_carry(self, batch: int) -> Carry:
        """The carry that a puzzle starts from.

        Args:
            batch: B, the number of slots.
        """
        shape = (batch, self.config.carry_len, self.config.hidden_size)
        carry = {}
        for state in self.recursion.states:
            carry[state] = self.initial_state(state).expand(shape)
        return carry

    def reset(self, carry: Carry, reset: Tensor) -> Carry:
        """Put the initial states into the slots that start a puzzle.

        Args:
            carry: (B, S, D) by state.
            reset: (B,) bool, slots that start a puzzle.
        """
        mask = reset[:, None, None]
        states = {}
        for state, value in carry.items():
            states[state] = torch.where(mask, self.initial_state(state), value)
        return states

    def advance(self, carry: Carry, x: Tensor, updates: Sequence[Update]) -> Carry:
        """Apply updates in order.

        Args:
            carry: (B, S, D) by state; it is not changed.
            x: (B, S, D), the injected input.
            updates: some of this model's ``updates``.
        """
        values = {**carry, INPUT: x}
        networks = self.networks
        for update in updates:
            h = _sum(update.terms, values)
            values[update.state] = networks[update.network](h, self.rope)
        return {state: values[state] for state in carry}

    def heads(self, carry: Carry) -> StepOutput:
        """Logits of the answer and of halting, in float32.

        Args:
            carry: (B, S, D) by state.
        """
        answer = carry[self.recursion.answer]
        logits = self.lm_head(answer)[:, self.config.prefix_len :].float()
        q = self.q_head(answer[:, 0]).float()  # the first position carries the decision
        return StepOutput(carry, logits, q[:, 0], q[:, 1])

    def forward(
        self, tokens: Tensor, puzzle_embedding: Tensor | None, reset: Tensor, carry: Carry
    ) -> StepOutput:
        """One ACT step.

        Args:
            tokens: (B, L) integer ids.
            puzzle_embedding: (B, E), or None where the model has no table.
            reset: (B,) bool, slots that start a puzzle.
            carry: (B, S, D) by state; what reset slots hold is ignored.
        """
        x = self.embed(tokens, puzzle_embedding)
        return self.heads(self.advance(self.reset(carry, reset), x, self.updates))


def _sum(terms: Terms, values: Mapping[str, Tensor]) -> Tensor:
    """Add terms from left to right."""
    total: Tensor | None = None
    for term in terms:
        value = values[term] if isinstance(term, str) else _sum(term, values)
        total = value if total is None else total + value
    if total is None:
        raise ValueError("a sum has no terms")
    return total
