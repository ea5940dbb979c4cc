"""Noise on the answer's state, added by the step graph itself, so that no carry leaves a GPU."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from trm_edge.config import ModelConfig
from trm_edge.export.graph_builder import GraphBuilder
from trm_edge.graph_noise import NOISE_OFFSETS, NOISE_TABLE
from trm_edge.noise import noise_table
from trm_edge.step import NOISE_INPUTS, CarryType


def emit_noise(graph: GraphBuilder, state: str, config: ModelConfig, carry: CarryType) -> str:
    """Emit the sum of a state and a slot's window of the noise table, times its sigma.

    Args:
        graph: receives the nodes and the table.
        state: name of the state (B, S, D) that a step begins with, after the reset.
        config: the model.
        carry: type of the state and of the table.

    Returns:
        The name of the sum (B, S, D).
    """
    window, sigma = NOISE_INPUTS
    shape = (config.carry_len, config.hidden_size)
    count = shape[0] * shape[1]
    table = graph.constant(NOISE_TABLE, noise_table(count).astype(carry))
    offsets = graph.constant(NOISE_OFFSETS, np.arange(count, dtype=np.int32).reshape(shape))
    axes = graph.constant("reset_axes", np.array([1, 2], np.int64))
    first = graph.node("Unsqueeze", [window, axes], "noise.first")  # (B, 1, 1)
    places = graph.node("Add", [first, offsets], "noise.places")  # (B, S, D)
    values = graph.node("Gather", [table, places], "noise.values")
    scale = graph.node("Unsqueeze", [sigma, axes], "noise.scale")  # (B, 1, 1)
    if carry == "float16":
        scale = graph.node("Cast", [scale], "noise.f16", to=TensorProto.FLOAT16)
    noise = graph.node("Mul", [values, scale], "noise.scaled")
    return graph.node("Add", [state, noise], "noise")
