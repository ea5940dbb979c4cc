"""One ACT step of the recursive models in plain PyTorch: embed, update the states, read the heads.

Mirrors ``models/recursive_reasoning/trm.py`` of the published code (arXiv 2510.04871, section 4)
and its relatives, whose networks, states and updates are in :mod:`trm_edge.architecture`; the
networks themselves are in ``network.py``. Module names are those of its ``state_dict``, so weights
load by name. Shapes in comments: B batch,
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
from trm_edge.config import ModelConfig
from trm_edge.export.network import Embedding, Network, rope_tables

# States that one ACT (adaptive computation time) step hands to the next: (B, S, D) by name.
Carry = dict[str, Tensor]


class StepOutput(NamedTuple):
    """Output of one ACT step: the new carry, the answer's logits and the halting head's."""

    carry: Carry
    logits: Tensor  # (B, L, V) float32
    q_halt: Tensor  # (B,) float32
    q_continue: Tensor  # (B,) float32


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
