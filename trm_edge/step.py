"""The contract of a step graph, ``trm-edge.step/1``: names, shapes and types, in order.

A graph that adds noise by itself has two more inputs and another name, ``trm-edge.step-noise/1``.

B is the batch and the only dynamic axis. L tokens, P prefix positions, D hidden size, E width of
the puzzle embedding, V vocabulary, S = P + L positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from trm_edge.config import ModelConfig

FORMAT = "trm-edge.step/1"
NOISE_FORMAT = "trm-edge.step-noise/1"  # of a graph with inputs for noise
NOISE_INPUTS = ("noise_window", "noise_sigma")
CarryType = Literal["float32", "float16"]


class TensorSpec(NamedTuple):
    """One input or output of a step graph.

    Args:
        name: the tensor's name in the graph.
        shape: its axes; None is the batch.
        dtype: numpy's name of its type.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        axes = ", ".join("B" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} ({axes}) {self.dtype}"


def step_inputs(
    config: ModelConfig, carry: CarryType = "float32", *, noise: bool = False
) -> tuple[TensorSpec, ...]:
    """List the inputs of the step graph, in order.

    Args:
        config: the model.
        carry: type of the carries and the puzzle embedding.
        noise: the graph has inputs for noise.
    """
    state = (None, config.carry_len, config.hidden_size)
    specs = [TensorSpec("tokens", (None, config.seq_len), "int32")]
    if config.puzzle_emb_ndim:
        specs.append(TensorSpec("puzzle_embedding", (None, config.puzzle_emb_ndim), carry))
    specs.append(TensorSpec("reset", (None,), "bool"))
    for name in config.recursion.states:
        specs.append(TensorSpec(name, state, carry))
    if noise:
        window, sigma = NOISE_INPUTS
        specs.append(TensorSpec(window, (None,), "int32"))
        specs.append(TensorSpec(sigma, (None,), "float32"))
    return tuple(specs)


def step_outputs(config: ModelConfig, carry: CarryType = "float32") -> tuple[TensorSpec, ...]:
    """List the outputs of the step graph, in order.

    Args:
        config: the model.
        carry: type of the carries.
    """
    state = (None, config.carry_len, config.hidden_size)
    carries = [TensorSpec(f"{name}_next", state, carry) for name in config.recursion.states]
    return (
        *carries,
        TensorSpec("logits", (None, config.seq_len, config.vocab_size), "float32"),
        TensorSpec("q_halt", (None,), "float32"),
        TensorSpec("q_continue", (None,), "float32"),
    )


def describe_mismatch(expected: Sequence[TensorSpec], actual: Sequence[TensorSpec]) -> str | None:
    """Describe the difference between two lists of tensors.

    Args:
        expected: the contract.
        actual: the tensors of a graph or engine.

    Returns:
        Both lists as text, or None where they agree.
    """
    if list(expected) == list(actual):
        return None
    expected_text = "; ".join(map(str, expected))
    actual_text = "; ".join(map(str, actual)) or "none"
    return f"expected {expected_text}, but found {actual_text}"
