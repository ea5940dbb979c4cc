"""A step graph is looked at before ONNX Runtime or a compiler sees it.

A graph is a program. One that was made to do harm can ask for terabytes in a few bytes, run for
ever or read other files. What passes here holds only operators that trm-edge exports, no
functions, subgraphs, custom operators or external data, and has shapes that were computed from
its constants: they are those of the step contract, grow no faster than the number of slots, and
need a bounded amount of memory and arithmetic (:mod:`trm_edge.graph_shapes`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import BackendError
from trm_edge.graph_noise import check_noise
from trm_edge.graph_reader import GraphReader
from trm_edge.graph_shapes import check_shapes
from trm_edge.operator_call import ShapeError
from trm_edge.step import CarryType
from trm_edge.wire import WireError

MAX_GRAPH_BYTES = 512 << 20
States = dict[str, NDArray[np.float32]]  # by name of the state


def check_graph(
    content: bytes, config: ModelConfig, carry: CarryType, source: str, *, noise: bool = False
) -> None:
    """Refuse a graph that is not a step graph of a model, or asks for more than one needs.

    Args:
        content: the ONNX file.
        config: the model that it computes.
        carry: element type of the carries.
        source: names the file in errors.
        noise: the graph must have inputs for noise.

    Raises:
        BackendError: says what is wrong with it.
    """
    try:
        if len(content) > MAX_GRAPH_BYTES:
            raise WireError(f"it has {len(content)} bytes, and at most {MAX_GRAPH_BYTES} are read")
        graph = GraphReader().read(memoryview(content))
        nodes = graph.nodes
        constants = graph.constants
        check_shapes(nodes, constants, graph.inputs, graph.outputs, config, carry, noise=noise)
        if noise:
            check_noise(nodes, constants, config)
    except (WireError, ShapeError) as error:
        raise BackendError(
            f"{source} is not a step graph that is safe to load: {error}. Export the checkpoint "
            "again."
        ) from error


def integer_weights(content: bytes) -> dict[str, NDArray[np.int8]]:
    """Read the INT8 matrices of a graph that are multiplied by quantized inputs.

    Args:
        content: an ONNX file that passed :func:`check_graph`.

    Returns:
        Matrices (K, N) by name.

    Raises:
        WireError: the file cannot be read.
    """
    graph = GraphReader().read(memoryview(content))
    dequantized = {}  # source of each value that a DequantizeLinear computes
    for node in graph.nodes:
        if node.operator == "DequantizeLinear":
            dequantized[node.outputs[0]] = node.inputs[0]
    weights = {}
    for node in graph.nodes:
        if node.operator != "MatMul" or node.inputs[0] not in dequantized:
            continue
        name = dequantized.get(node.inputs[1], "")
        if name in graph.constants.int8:
            weights[name] = graph.constants.int8[name]
    return weights


def initial_states(content: bytes, config: ModelConfig, source: str) -> States:
    """Read the vectors that the states of a puzzle start from.

    Args:
        content: an ONNX file that passed :func:`check_graph`.
        config: the model that it computes.
        source: names the file in errors.

    Returns:
        (D,) float32 by the name of the state.

    Raises:
        BackendError: the graph does not hold them.
    """
    try:
        vectors = GraphReader().read(memoryview(content)).constants.vectors
    except WireError as error:
        raise BackendError(f"{source} cannot be read: {error}.") from error
    states = {}
    for state, name in config.recursion.initial.items():
        vector = vectors.get(name)
        if vector is None or vector.shape != (config.hidden_size,):
            raise BackendError(
                f"{source} does not hold {name}, the vector that {state} starts from. Export the "
                "checkpoint again."
            )
        states[state] = vector.astype(np.float32)
    return states
