"""Ways to compute a step on a CPU: trm-edge, PyTorch as published, ONNX Runtime's own tools."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.export.model import RecursiveModel
from trm_edge.profile import Int8Ranges, Precision, TargetProfile
from trm_edge.puzzle import Puzzle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

Step = Callable[[int], None]  # runs one step of that many slots
FLOAT32 = "float32"
INT8 = "INT8"
EAGER = "PyTorch bfloat16, eager"
NAIVE = "naive export, float32"
_NAMES = ["tokens", "rows", "reset", "z_H", "z_L"]  # of a naive export's inputs
_RANGES: dict[str, Int8Ranges] = {
    INT8: "per_token_products",
    "INT8, static ranges": "per_layer",
    "INT8, every row dynamic": "per_token",
}


class StepArguments:
    """Tokens and a carry for any number of slots, the same for every runner.

    Args:
        model: the model that they are for.
        max_slots: the largest number of slots.
    """

    def __init__(self, model: RecursiveModel, max_slots: int) -> None:
        config = model.config
        rng = np.random.default_rng(0)
        shape = (max_slots, config.seq_len)
        self.tokens = rng.integers(1, config.vocab_size, shape, dtype=np.int32)
        carry_shape = (2, max_slots, config.carry_len, config.hidden_size)
        carry = rng.standard_normal(carry_shape, dtype=np.float32)
        self.z_H, self.z_L = carry / np.sqrt((carry**2).mean(-1, keepdims=True))
        self.embeddings = np.zeros((max_slots, config.puzzle_emb_ndim), np.float32)
        self.reset = np.zeros(max_slots, np.bool_)

    def first(self, slots: int) -> tuple[NDArray[Any], ...]:
        """Return the inputs of a step: tokens, puzzle embeddings, reset, z_H and z_L.

        Args:
            slots: number of slots.
        """
        arrays = (self.tokens, self.embeddings, self.reset, self.z_H, self.z_L)
        return tuple(array[:slots] for array in arrays)


def trm_edge_steps(
    model: RecursiveModel, arguments: StepArguments, folder: Path, threads: int
) -> Iterator[tuple[str, Step]]:
    """Yield the cpu target's graphs, run by the backend that ``trm-edge solve`` uses.

    Args:
        model: the float32 model.
        arguments: inputs of the steps.
        folder: for the graphs.
        threads: CPU threads.
    """
    profile = load_profile("cpu")
    float32 = GraphInputs(model, "fp32", None, {})
    yield FLOAT32, _backend_step(float32, profile, arguments, folder, threads)
    int8 = int8_graph_inputs(model, arguments)
    for name, ranges in _RANGES.items():
        variant = replace(profile, int8_ranges=ranges)
        yield name, _backend_step(int8, variant, arguments, folder, threads)
    fp8 = _graph_inputs(model, arguments, "fp8", "fp8")
    yield "FP8, by conversion", _backend_step(fp8, profile, arguments, folder, threads)


def int8_graph_inputs(model: RecursiveModel, arguments: StepArguments) -> GraphInputs:
    """Quantize a model to INT8 on two puzzles: good for timing, not for answers.

    Args:
        model: the float32 model.
        arguments: inputs of the steps.
    """
    return _graph_inputs(model, arguments, "int8", "int8")


def _graph_inputs(
    model: RecursiveModel, arguments: StepArguments, qtype: QType, precision: Precision
) -> GraphInputs:
    recipe = CalibrationRecipe.default(qtype)
    recipe = replace(recipe, puzzles=2, steps=(1,), compensated_rounding=False)
    puzzles = [Puzzle(tokens) for tokens in arguments.tokens[:2]]
    calibrated = calibrate(model, arguments.embeddings[:1], puzzles, qtype, recipe)
    return GraphInputs(calibrated.model, precision, qtype, calibrated.layers)


def _backend_step(
    graph_inputs: GraphInputs,
    profile: TargetProfile,
    arguments: StepArguments,
    folder: Path,
    threads: int,
) -> Step:
    number = len(list(folder.glob("*.onnx")))
    path = folder / f"{number}.onnx"
    onnx.save(target_graph(graph_inputs, profile), path)
    backend = OnnxRuntimeBackend(path, graph_inputs.model.config, threads=threads)
    backend.activate()

    def step(slots: int) -> None:
        tokens, rows, reset, *carry = arguments.first(slots)
        backend.run(tokens, rows, reset, carry)

    return step


def pytorch_steps(
    model: RecursiveModel, arguments: StepArguments, *, compiled: bool
) -> Iterator[tuple[str, Step]]:
    """Yield the model as the published code computes it: weights cast to bfloat16, or float32.

    Args:
        model: the float32 model.
        arguments: inputs of the steps.
        compiled: also compile the bfloat16 model with torch.compile.
    """
    for dtype in (torch.bfloat16, torch.float32):
        cast = RecursiveModel(model.config).requires_grad_(False).eval()
        cast.load_state_dict(model.state_dict())
        cast.to(dtype)
        name = str(dtype).removeprefix("torch.")
        yield f"PyTorch {name}, eager", _torch_step(cast, arguments, dtype)
        if compiled and dtype == torch.bfloat16:
            compiled_model = torch.compile(cast, dynamic=False)
            yield f"PyTorch {name}, torch.compile", _torch_step(compiled_model, arguments, dtype)


def _torch_step(call: Any, arguments: StepArguments, dtype: torch.dtype) -> Step:
    @torch.inference_mode()
    def step(slots: int) -> None:
        tokens, rows, reset, z_H, z_L = map(torch.from_numpy, arguments.first(slots))
        call(tokens, rows.to(dtype), reset, {"z_H": z_H.to(dtype), "z_L": z_L.to(dtype)})

    return step


class _Unrolled(torch.nn.Module):
    """The step with a flat list of inputs and outputs, for torch.onnx.export."""

    def __init__(self, model: RecursiveModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Any, rows: Any, reset: Any, z_H: Any, z_L: Any) -> tuple[Any, ...]:
        output = self.model(tokens, rows, reset, {"z_H": z_H, "z_L": z_L})
        return (*output.carry.values(), output.logits, output.q_halt, output.q_continue)


def naive_steps(
    model: RecursiveModel, arguments: StepArguments, folder: Path, threads: int
) -> Iterator[tuple[str, Step]]:
    """Yield ``torch.onnx.export`` of the unrolled step, and ONNX Runtime's quantizers over it.

    Args:
        model: the float32 model.
        arguments: inputs of the steps.
        folder: for the graphs.
        threads: CPU threads.
    """
    float32 = folder / "naive.onnx"
    dynamic = folder / "naive-dynamic.onnx"
    static = folder / "naive-static.onnx"
    logging.disable(logging.WARNING)
    _export_naive(model, arguments, float32)
    _quantize_naive(arguments, float32, dynamic, static)
    logging.disable(logging.NOTSET)
    for name, path in (
        (NAIVE, float32),
        ("naive export, quantize_dynamic", dynamic),
        ("naive export, quantize_static", static),
    ):
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        yield name, _session_step(session, arguments)


def _export_naive(model: RecursiveModel, arguments: StepArguments, path: Path) -> None:
    batch = torch.export.Dim("B", min=1, max=len(arguments.tokens))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Unrolled(model),
            tuple(map(torch.from_numpy, arguments.first(2))),
            path,
            input_names=_NAMES,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in _NAMES),
            external_data=False,
            verbose=False,
        )


def _quantize_naive(arguments: StepArguments, source: Path, dynamic: Path, static: Path) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Two slots, once."""

        def __init__(self) -> None:
            self.feeds = [dict(zip(_NAMES, arguments.first(2), strict=True))]

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return self.feeds.pop() if self.feeds else None

    products = {"op_types_to_quantize": ["MatMul"], "per_channel": True}
    quantize_dynamic(source, dynamic, **products)
    quantize_static(source, static, Reader(), quant_format=QuantFormat.QDQ, **products)


def _session_step(session: Any, arguments: StepArguments) -> Step:
    inputs = {spec.name for spec in session.get_inputs()}

    def step(slots: int) -> None:
        arrays = zip(_NAMES, arguments.first(slots), strict=True)
        session.run(None, {name: array for name, array in arrays if name in inputs})

    return step
