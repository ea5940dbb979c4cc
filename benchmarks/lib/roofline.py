"""What a step has to compute, and what this machine reaches on one large product of each type."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from trm_edge.config import ModelConfig, swiglu_width
from trm_edge.evaluation.timing import interleaved

_ROWS, _INNER, _COLUMNS = 2048, 1536, 2048


def operations(config: ModelConfig) -> tuple[float, float]:
    """Operations (an addition or a multiplication each) of one slot's step.

    Returns:
        Those by weights, and those between activations (attention's scores and sums).
    """
    rows, width = config.carry_len, config.hidden_size

    def swiglu(count: int, size: int) -> float:
        return 2.0 * count * 3 * size * swiglu_width(size, config.expansion)

    between = 0.0
    if config.mlp_t:
        block = swiglu(width, rows) + swiglu(rows, width)
    else:
        block = 2.0 * rows * 4 * width * width + swiglu(rows, width)
        between = 2.0 * 2 * rows * rows * width
    blocks = config.L_layers * config.H_cycles * (config.L_cycles + 1)
    heads = 2.0 * config.seq_len * width * config.vocab_size
    return blocks * block + heads, blocks * between


def peaks(threads: int) -> dict[str, float]:
    """Operations a second of one large product in ONNX Runtime, by type."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((_ROWS, _INNER), dtype=np.float32)
    weight = rng.standard_normal((_INNER, _COLUMNS), dtype=np.float32)
    scale = np.abs(weight).max(0) / 127
    plain = _session(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight}, TensorProto.FLOAT, threads
    )
    whole = _session(
        [helper.make_node("MatMulInteger", ["x", "w", "z"], ["y"])],
        {"w": np.rint(weight / scale).astype(np.int8), "z": np.asarray(np.uint8(128))},
        TensorProto.INT32,
        threads,
    )
    codes = np.clip(np.rint(x * 30) + 128, 0, 255).astype(np.uint8)
    times = interleaved(
        {
            "float32": lambda: plain.run(None, {"x": x}),
            "int8": lambda: whole.run(None, {"x": codes}),
        },
        rounds=5,
        seconds=0.2,
    )
    work = 2.0 * _ROWS * _INNER * _COLUMNS
    return {name: work / float(found.min()) for name, found in times.items()}


def _session(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], output: int, threads: int
) -> ort.InferenceSession:
    given = TensorProto.UINT8 if output == TensorProto.INT32 else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info("x", given, [_ROWS, _INNER])],
        [helper.make_tensor_value_info("y", output, [_ROWS, _COLUMNS])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    imports = [helper.make_opsetid("", 19)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
