"""The same model by nvidia-modelopt's own ONNX route, to hold the quantizer here against.

``modelopt.onnx.quantization.quantize`` takes the float32 step graph and the inputs of real steps,
and gets the options and the preparation that make it behave best on this graph:

- Calibrated on the step's inputs at every ACT step, from the float model's own halting loop.
- ``high_precision_dtype="fp32"``: the default makes everything that is not quantized float16.
- ``nodes_to_quantize`` names the network's matrix products, the same that are quantized here. The
  default also quantizes the additions of the residual stream, which costs half the accuracy left.
- An Identity before each product. Without one the residual stream reads the product's quantized
  input too, and in FP8 ONNX Runtime 1.32 cannot load the graph: it moves a Transpose past the
  QuantizeLinear, and has none for that type.
- ``enable_shared_constants_duplication=False`` and ``dq_only=True``: else every weight is stored
  in float32, once for each of its call sites, and the file is eight times the float32 one. The
  answers are the same.
- ``enable_gemv_detection_for_trt=False``: else products narrower than 16 would stay in float.

Left as ModelOpt has it: one range for each product of the unrolled step, and FP8 scales of
amax * 448 / 127 / 127, so that codes end at 36; at amax / 448 the answers are as good.

Installs with ``pip install 'trm-edge[bench]'``. ModelOpt replaces parts of onnxruntime.quantization
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
from trm_edge.errors import CalibrationError, MissingExtraError
from trm_edge.export.model import TinyRecursiveModel
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
    model: TinyRecursiveModel,
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
    """The step graph of ``model`` as ModelOpt quantizes it; inputs and outputs stay as they are.

    Args:
        puzzle_embeddings: (N, E) float32, where the model has a table.
        puzzles: to calibrate on; each is run through all ACT steps.
        folder: is there and may be written to; holds the graphs while ModelOpt works on them.
        method: how ranges are taken, by default the one in METHODS.
        in_float: products whose names end so are left alone, as ``(".down",)``.
        batch: puzzles in one calibration step; what is recorded is kept in memory.
        threads: of the float model; ModelOpt itself takes every core.

    Raises:
        MissingExtraError: ModelOpt or a package that it needs is not installed.
        CalibrationError: there are no puzzles, or ModelOpt failed or left a product in float.
    """
    method = method or METHODS[precision]
    if precision == "fp8" and method != "max":
        raise CalibrationError(f"ModelOpt's FP8 needs the method max, but got {method}.")
    quantize = _quantize()
    before, after = folder / "modelopt_float32.onnx", folder / f"modelopt_{precision}.onnx"
    graph = step_graph(model)
    onnx.save(graph, before)
    backend = _RecordingBackend(before, model.config, threads=threads)
    always = HaltingRule.from_config(model.config, "fixed")
    with Solver(backend, puzzle_embeddings, halting=always, batch=batch) as solver:
        for _ in track(solver.solve(puzzles), "ModelOpt: true carries", len(puzzles)):
            pass
    if not backend.seen:
        raise CalibrationError("there are no calibration puzzles.")
    products = [name for name in _separate_products(graph) if not name.endswith(in_float)]
    onnx.save(graph, before)
    said = io.StringIO()  # progress of its own, and an error about a GPU that nothing needs
    try:
        with redirect_stdout(said), redirect_stderr(said):
            quantize(
                str(before),
                quantize_mode=precision,
                calibration_method=method,
                calibration_data_reader=_Reader(backend.seen),
                calibration_eps=["cpu"],
                nodes_to_quantize=[f"{re.escape(name)}$" for name in products],
                output_path=str(after),
                log_level="CRITICAL",
                high_precision_dtype="fp32",
                dq_only=True,
                enable_shared_constants_duplication=False,
                enable_gemv_detection_for_trt=False,
            )
    except Exception as error:
        raise CalibrationError(f"ModelOpt failed on the {precision} step graph: {error}") from error
    result = onnx.load(after)
    made = {name: node.op_type for node in result.graph.node for name in node.output}
    left = [
        node.name
        for node in result.graph.node
        if node.name in products and {made.get(name) for name in node.input} != {"DequantizeLinear"}
    ]
    if left:
        raise CalibrationError(f"ModelOpt left {len(left)} products in float, as {left[0]}.")
    return result


class _RecordingBackend(OnnxRuntimeBackend):
    """Keeps what every step was fed; the arrays of a carry are made anew by each step."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[Feeds] = []

    def run(
        self,
        tokens: NDArray[np.int32],
        puzzle_embedding: NDArray[np.float32] | None,
        reset: NDArray[np.bool_],
        z_H: NDArray[Any],
        z_L: NDArray[Any],
    ) -> StepArrays:
        feeds = {"tokens": tokens.copy(), "reset": reset.copy(), "z_H": z_H, "z_L": z_L}
        if puzzle_embedding is not None:
            feeds["puzzle_embedding"] = puzzle_embedding.copy()
        self.seen.append(feeds)
        return super().run(tokens, puzzle_embedding, reset, z_H, z_L)


class _Reader:
    """A CalibrationDataReader as ModelOpt wants it: it looks at the first feeds and goes back."""

    def __init__(self, feeds: Sequence[Feeds]) -> None:
        self._feeds = feeds
        self.rewind()

    def get_first(self) -> Feeds:
        return self._feeds[0]

    def get_next(self) -> Feeds | None:
        return next(self._rest, None)

    def rewind(self) -> None:
        self._rest = iter(self._feeds)


def _separate_products(graph: onnx.ModelProto) -> list[str]:
    """Put an Identity before every product by a weight, in place; the names of the products."""
    weights = {tensor.name for tensor in graph.graph.initializer} - {"lm_head"}
    products, nodes = [], []
    for node in graph.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            products.append(node.name)
            own = f"{node.name}.own"
            nodes.append(onnx.helper.make_node("Identity", [node.input[0]], [own], name=own))
            node.input[0] = own
        nodes.append(node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return products


def _quantize() -> Any:
    try:
        from modelopt.onnx.quantization import quantize
    except ImportError as error:
        cause = error.__context__ or error  # ModelOpt wraps it and drops the name
        missing = (getattr(cause, "name", None) or "nvidia-modelopt").partition(".")[0]
        package = "nvidia-modelopt" if missing == "modelopt" else missing
        raise MissingExtraError(package, "bench", "ModelOpt's ONNX route") from error
    return quantize
