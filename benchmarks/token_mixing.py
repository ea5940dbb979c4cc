"""Time the token-mixing MLP at K = 97 and padded to a multiple of 16.

    python benchmarks/token_mixing.py

The published Sudoku model mixes 81 cells and 16 prefix positions: (B, 512, 97) by (97, 1024),
gated, and (B, 512, 512) back to 97. Only these products are timed. Variants run interleaved in one
process; figures are ratios to INT8 at K = 97, medians with the quartiles of rounds. Prints
Markdown.
"""

from __future__ import annotations

import time

from lib.extras import require_bench_extra

require_bench_extra("onnx")

import click
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trm_edge.cli.options import ThreadCount

CHANNELS = 512
INNER = 512
BASELINE = "INT8, K = 97"
VARIANTS = {
    BASELINE: (97, True),
    "INT8, padded to 112": (112, True),
    "INT8, padded to 128": (128, True),
    "float32, K = 97": (97, False),
}


def network(width: int, quantized: bool) -> bytes:
    """Build gate_up, gating without the activation, and down, with per-tensor (static) ranges.

    Args:
        width: K, the number of positions that are mixed.
        quantized: INT8 with Q/DQ nodes; otherwise float32.

    Returns:
        The serialized ONNX model.
    """
    rng = np.random.default_rng(0)
    constants = {
        "s": np.float32(4 / 127),
        "z": np.int8(0),
        "half": np.array([INNER, INNER], np.int64),
    }
    nodes = []

    def product(source: str, name: str, rows: int, columns: int) -> str:
        if not quantized:
            constants[name] = rng.standard_normal((rows, columns)).astype(np.float32)
            nodes.append(helper.make_node("MatMul", [source, name], [f"{name}.y"]))
            return f"{name}.y"
        constants[name] = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
        constants[f"{name}.s"] = np.full(columns, 0.01, np.float32)
        nodes.extend(
            [
                helper.make_node("QuantizeLinear", [source, "s", "z"], [f"{name}.q"]),
                helper.make_node("DequantizeLinear", [f"{name}.q", "s", "z"], [f"{name}.x"]),
                helper.make_node("DequantizeLinear", [name, f"{name}.s"], [f"{name}.w"], axis=1),
                helper.make_node("MatMul", [f"{name}.x", f"{name}.w"], [f"{name}.y"]),
            ]
        )
        return f"{name}.y"

    gated = product("x", "gate_up", width, 2 * INNER)
    nodes.append(helper.make_node("Split", [gated, "half"], ["g", "u"], axis=-1))
    nodes.append(helper.make_node("Mul", ["g", "u"], ["h"]))
    output = product("h", "down", INNER, width)
    shape: list[str | int | None] = ["B", CHANNELS, width]
    graph = helper.make_graph(
        nodes,
        "mlp_t",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 19)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return content


@click.command(help=__doc__)
@click.option("--batch", type=click.IntRange(min=1), default=8, show_default=True, help="Slots.")
@click.option("--rounds", type=click.IntRange(min=3), default=40, show_default=True)
@click.option("--threads", type=ThreadCount(), default=2, show_default=True)
def main(batch: int, rounds: int, threads: int) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    runs = {}
    for name, (width, quantized) in VARIANTS.items():
        session = onnxruntime.InferenceSession(network(width, quantized), options)
        x = np.random.default_rng(1).standard_normal((batch, CHANNELS, width), np.float32)
        session.run(None, {"x": x})
        runs[name] = (session, x)
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name, (session, x) in runs.items():
            start = time.perf_counter()
            for _ in range(5):
                session.run(None, {"x": x})
            seconds[name].append(time.perf_counter() - start)
    baseline = np.array(seconds[BASELINE])
    click.echo(
        f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, {threads} threads, "
        f"batch {batch}\n\n| variant | time / INT8 at K = 97 | quartiles |\n|---|---|---|"
    )
    for name, values in seconds.items():
        ratios: NDArray[np.float64] = np.array(values) / baseline
        low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
        click.echo(f"| {name} | {middle:.2f} | {low:.2f} … {high:.2f} |")


if __name__ == "__main__":
    main()
