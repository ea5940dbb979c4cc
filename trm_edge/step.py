"""The contract of a step graph, ``trm-edge.step/1``: names, shapes and types, in order.

B is the only dynamic axis. L tokens, P prefix positions, D hidden size, E puzzle embedding,
V vocabulary, S = P + L.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from trm_edge.config import ModelConfig

FORMAT = "trm-edge.step/1"
CarryType = Literal["float32", "float16"]


class TensorSpec(NamedTuple):
    """One input or output of a step graph; an axis of None is the batch."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str  # numpy's name

    def __str__(self) -> str:
        axes = ", ".join("B" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} ({axes}) {self.dtype}"


def step_inputs(config: ModelConfig, carry: CarryType = "float32") -> tuple[TensorSpec, ...]:
    """Inputs of the step graph, in order."""
    state = (None, config.carry_len, config.hidden_size)
    embedding = (TensorSpec("puzzle_embedding", (None, config.puzzle_emb_ndim), carry),)
    return (
        TensorSpec("tokens", (None, config.seq_len), "int32"),
        *(embedding if config.puzzle_emb_ndim else ()),
        TensorSpec("reset", (None,), "bool"),
        TensorSpec("z_H", state, carry),
        TensorSpec("z_L", state, carry),
    )


def step_outputs(config: ModelConfig, carry: CarryType = "float32") -> tuple[TensorSpec, ...]:
    """Outputs of the step graph, in order."""
    state = (None, config.carry_len, config.hidden_size)
    return (
        TensorSpec("z_H_next", state, carry),
        TensorSpec("z_L_next", state, carry),
        TensorSpec("logits", (None, config.seq_len, config.vocab_size), "float32"),
        TensorSpec("q_halt", (None,), "float32"),
        TensorSpec("q_continue", (None,), "float32"),
    )


def describe_mismatch(expected: Sequence[TensorSpec], found: Sequence[TensorSpec]) -> str | None:
    """What differs between two lists of tensors, or None where they agree."""
    if list(expected) == list(found):
        return None
    return (
        f"expected {'; '.join(map(str, expected))}, but found "
        f"{'; '.join(map(str, found)) or 'none'}"
    )
