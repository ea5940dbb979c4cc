"""Quantization by nvidia-modelopt's own ONNX route, to compare the quantizer here with.

``modelopt.onnx.quantization.quantize`` takes the float32 step graph and the inputs of real steps,
with the options and the preparation that work best on this graph:

- Calibrated on the step's inputs at every ACT step, from the float model's own halting loop.
- ``high_precision_dtype="fp32"``: the default makes everything that is not quantized float16.
- ``nodes_to_quantize`` names the network's matrix products, the same that are quantized here. The
  default also quantizes the additions of the residual stream, which costs half of the remaining
  accuracy.
- An Identity before each product. Without one the residual stream reads the product's quantized
  input too, and in FP8 ONNX Runtime 1.32 cannot load the graph: it moves a Transpose past the
  QuantizeLinear, and has none for that type.
- ``enable_shared_constants_duplication=False`` and ``dq_only=True``: otherwise every weight is
  stored in float32, once for each of its call sites, and the file is eight times as large as the
  float32 one. The answers are the same.
- ``enable_gemv_detection_for_trt=False``: otherwise products narrower than 16 would stay in float.

Left at ModelOpt's defaults: a per-tensor (static) range for each product of the unrolled step, and
FP8 scales of amax * 448 / 127 / 127, so that codes end at 36; at amax / 448 the answers are as
good.

Needs the ``bench`` extra. ModelOpt replaces parts of onnxruntime.quantization
for the rest of the process; nothing else here uses them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend, StepArrays
from trm_edge.backends.staged_noise import NoiseArrays
from trm_edge.errors import CalibrationError, MissingExtraError
from trm_edge.export.model import RecursiveModel
from trm_edge.export.step_graph import step_graph
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

Precision8 = Literal["int8", "fp8"]
Method = Literal["max", "entropy"]
Feeds = dict[str, NDArray[Any]]
# ModelOpt's own default for INT8. Its FP8 graph is the INT8 one with the scales converted, which
# holds for ranges by max alone.
METHODS: dict[Precision8, Method] = {"int8": "entropy", "fp8": "max"}


def modelopt_graph(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    precision: Precision8,
    folder: Path,
    *,
    method: Method | None = None,
    in_float: tuple[str, ...] = (),
    batch: int = 32,
    threads: int = 0,
    track: Track = silent,
) -> onnx.ModelProto:
    """Quantize a model's step graph with ModelOpt; its inputs and outputs stay the same.

    Args:
        model: the float32 model.
        puzzle_embeddings: (N, E) float32, or None if the model has no table.
        puzzles: calibration puzzles; each is run through all ACT steps.
        precision: quantized element type.
        folder: an existing folder for the graphs while ModelOpt works on them.
        method: calibration method of the ranges, by default the one in METHODS.
        in_float: endings of the names of products that stay in float, such as ``(".down",)``.
        batch: puzzles in one calibration step; all recorded inputs are kept in memory.
        threads: CPU threads of the float model; ModelOpt itself uses every core.
        track: reports progress.

    Raises:
        MissingExtraError: ModelOpt or a package that it needs is not installed.
        CalibrationError: there are no puzzles, or ModelOpt failed or left a product in float.
    """
    method = method or METHODS[precision]
    if precision == "fp8" and method != "max":
        raise CalibrationError(f"ModelOpt's FP8 needs the method max, but got {method}.")
    quantize = _quantize()
    float32_path = folder / "modelopt_float32.onnx"
    quantized_path = folder / f"modelopt_{precision}.onnx"
    graph = step_graph(model)
    onnx.save(graph, float32_path)
    backend = _RecordingBackend(float32_path, model.config, threads=threads)
    fixed = HaltingRule.from_config(model.config, "fixed")
    with Solver(backend, puzzle_embeddings, halting=fixed, batch=batch) as solver:
        for _ in track(solver.solve(puzzles), "ModelOpt: true carries", len(puzzles)):
            pass
    if not backend.feeds:
        raise CalibrationError("there are no calibration puzzles. Pass at least one.")
    products = [name for name in _separate_products(graph) if not name.endswith(in_float)]
    onnx.save(graph, float32_path)
    output = (
        io.StringIO()
    )  # ModelOpt's own progress, and an error about a GPU that it does not need
    try:
        with redirect_stdout(output), redirect_stderr(output):
            quantize(
                str(float32_path),
                quantize_mode=precision,
                calibration_method=method,
                calibration_data_reader=_Reader(backend.feeds),
                calibration_eps=["cpu"],
                nodes_to_quantize=[f"{re.escape(name)}$" for name in products],
                output_path=str(quantized_path),
                log_level="CRITICAL",
                high_precision_dtype="fp32",
                dq_only=True,
                enable_shared_constants_duplication=False,
                enable_gemv_detection_for_trt=False,
            )
    except Exception as error:
        raise CalibrationError(f"ModelOpt failed on the {precision} step graph: {error}") from error
    result = onnx.load(quantized_path)
    in_float_products = _unquantized(result, products)
    if in_float_products:
        raise CalibrationError(
            f"ModelOpt left {len(in_float_products)} products in float, the first is "
            f"{in_float_products[0]}."
        )
    return result


def _unquantized(graph: onnx.ModelProto, products: Sequence[str]) -> list[str]:
    """Names of the products that have an input that was not quantized."""
    producers = {}
    for node in graph.graph.node:
        producers.update(dict.fromkeys(node.output, node.op_type))
    names = []
    for node in graph.graph.node:
        inputs = {producers.get(name) for name in node.input}
        if node.name in products and inputs != {"DequantizeLinear"}:
            names.append(node.name)
    return names


class _RecordingBackend(OnnxRuntimeBackend):
    """Keeps the inputs of every step; each step makes new arrays for its carry."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.feeds: list[Feeds] = []

    def run(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
        carry: Sequence[NDArray[Any]],
        noise: NoiseArrays | None = None,
    ) -> StepArrays:
        feeds = {"tokens": tokens.copy(), "reset": reset.copy()}
        feeds.update(zip(self.config.recursion.states, carry, strict=True))
        if puzzle_embedding is not None:
            feeds["puzzle_embedding"] = puzzle_embedding.copy()
        self.feeds.append(feeds)
        return super().run(tokens, puzzle_embedding, reset, carry, noise)


class _Reader:
    """A CalibrationDataReader for ModelOpt, which reads the first feeds and rewinds."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds = feeds
        self.rewind()

    def get_first(self) -> Feeds:
        return self._feeds[0]

    def get_next(self) -> Feeds | None:
        return next(self._remaining, None)

    def rewind(self) -> None:
        self._remaining = iter(self._feeds)


def _separate_products(graph: onnx.ModelProto) -> list[str]:
    """Put an Identity before every product with a weight, in place; returns the products' names."""
    weights = {tensor.name for tensor in graph.graph.initializer} - {"lm_head"}
    products = []
    nodes = []
    for node in graph.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            products.append(node.name)
            copy = f"{node.name}.own"
            nodes.append(onnx.helper.make_node("Identity", [node.input[0]], [copy], name=copy))
            node.input[0] = copy
        nodes.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return products


def _quantize() -> Any:
    try:
        from modelopt.onnx.quantization import quantize
    except ImportError as error:
        cause = error.__context__ or error  # ModelOpt wraps the error and drops the name
        missing = (getattr(cause, "name", None) or "nvidia-modelopt").partition(".")[0]
        package = "nvidia-modelopt" if missing == "modelopt" else missing
        raise MissingExtraError(package, "bench", "ModelOpt's ONNX route") from error
    return quantize
