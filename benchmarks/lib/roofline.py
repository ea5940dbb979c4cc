"""Operations of a step, and the rate that this machine reaches on a large product of each type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.evaluation.timing import interleaved

_ROWS = 2048
_INNER = 1536
_COLUMNS = 2048


def operations(config: ModelConfig) -> tuple[float, float]:
    """Count the operations (additions and multiplications) of one step of one slot.

    Args:
        config: the model.

    Returns:
        Those of products with weights, and those between activations (attention's scores and
        sums).
    """
    positions = config.carry_len
    width = config.hidden_size

    def swiglu(count: int, size: int) -> float:
        return 2.0 * count * 3 * size * swiglu_width(size, config.expansion)

    attention = 0.0
    if config.mlp_t:
        block = swiglu(width, positions) + swiglu(positions, width)
    else:
        block = 2.0 * positions * 4 * width * width + swiglu(positions, width)
        attention = 2.0 * 2 * positions * positions * width
    blocks = config.L_layers * config.H_cycles * (config.L_cycles + 1)
    heads = 2.0 * config.seq_len * width * config.vocab_size
    return blocks * block + heads, blocks * attention


def peaks(threads: int) -> dict[str, float]:
    """Measure the operations per second of one large product in ONNX Runtime.

    Args:
        threads: CPU threads.

    Returns:
        The rate for ``float32`` and ``int8``.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_ROWS, _INNER), dtype=np.float32)
    weight = rng.standard_normal((_INNER, _COLUMNS), dtype=np.float32)
    scale = np.abs(weight).max(0) / 127
    codes = np.clip(np.rint(x * 30) + 128, 0, 255).astype(np.uint8)
    weight_codes = np.rint(weight / scale).astype(np.int8)
    zero_point = np.asarray(np.uint8(128))
    float32 = _session(
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        {"w": weight},
        (TensorProto.FLOAT, TensorProto.FLOAT),
        threads,
    )
    int8 = _session(
        helper.make_node("MatMulInteger", ["x", "w", "z"], ["y"]),
        {"w": weight_codes, "z": zero_point},
        (TensorProto.UINT8, TensorProto.INT32),
        threads,
    )
    runs = {
        "float32": partial(float32.run, None, {"x": x}),
        "int8": partial(int8.run, None, {"x": codes}),
    }
    times = interleaved(runs, rounds=5, seconds=0.2)
    work = 2.0 * _ROWS * _INNER * _COLUMNS
    return {name: work / float(seconds.min()) for name, seconds in times.items()}


def _session(
    node: onnx.NodeProto,
    constants: Mapping[str, NDArray[Any]],
    types: tuple[int, int],
    threads: int,
) -> ort.InferenceSession:
    """One node from ``x`` to ``y``, whose element types are ``types``."""
    input_type, output_type = types
    graph = helper.make_graph(
        [node],
        "peak",
        [helper.make_tensor_value_info("x", input_type, [_ROWS, _INNER])],
        [helper.make_tensor_value_info("y", output_type, [_ROWS, _COLUMNS])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 19)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
