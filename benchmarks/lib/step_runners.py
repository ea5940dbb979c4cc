"""What computes a step on a CPU: ours, PyTorch as published, ONNX Runtime's own tools."""

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
from trm_edge.export.model import Carry, TinyRecursiveModel
from trm_edge.profile import Int8Ranges, Precision
from trm_edge.puzzle import Puzzle
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, target_graph

Step = Callable[[int], None]  # runs one step of that many slots
FLOAT32, INT8, EAGER, NAIVE = "float32", "INT8", "PyTorch bfloat16, eager", "naive export, float32"
_RANGES: dict[str, Int8Ranges] = {
    INT8: "per_token_products",
    "INT8, static ranges": "per_layer",
    "INT8, every row dynamic": "per_token",
}


class Inputs:
    """Tokens and a carry for any number of slots, the same for every runner."""

    def __init__(self, model: TinyRecursiveModel, most: int) -> None:
        config, rng = model.config, np.random.default_rng(0)
        self.tokens = rng.integers(1, config.vocab_size, (most, config.seq_len), dtype=np.int32)
        shape = (most, config.carry_len, config.hidden_size)
        carry = rng.standard_normal((2, *shape), dtype=np.float32)
        self.z_H, self.z_L = carry / np.sqrt((carry**2).mean(-1, keepdims=True))
        self.rows = np.zeros((most, config.puzzle_emb_ndim), np.float32)
        self.reset = np.zeros(most, np.bool_)

    def of(self, slots: int) -> tuple[NDArray[Any], ...]:
        return tuple(
            part[:slots] for part in (self.tokens, self.rows, self.reset, self.z_H, self.z_L)
        )


def ours(
    model: TinyRecursiveModel, inputs: Inputs, folder: Path, threads: int
) -> Iterator[tuple[str, Step]]:
    """The cpu target's graphs, through the backend that `trm-edge solve` uses."""
    profile = load_profile("cpu")
    yield FLOAT32, _backend(model, GraphInputs(model, "fp32", None, {}), inputs, folder, threads)
    for qtype in ("int8", "fp8"):
        ready = _graph_inputs(model, inputs, qtype)  # type: ignore[arg-type]
        if qtype == "fp8":
            yield "FP8, by conversion", _backend(model, ready, inputs, folder, threads)
            continue
        for name, ranges in _RANGES.items():
            how = replace(profile, int8_ranges=ranges)
            yield name, _backend(model, ready, inputs, folder, threads, how)


def int8_graph_inputs(model: TinyRecursiveModel, inputs: Inputs) -> GraphInputs:
    """The model in INT8, calibrated on two puzzles: for timing, not for answers."""
    return _graph_inputs(model, inputs, "int8")


def _graph_inputs(model: TinyRecursiveModel, inputs: Inputs, qtype: QType) -> GraphInputs:
    recipe = CalibrationRecipe.default(qtype)
    recipe = replace(recipe, puzzles=2, steps=(1,), compensated_rounding=False)
    puzzles = [Puzzle(tokens) for tokens in inputs.tokens[:2]]
    ready = calibrate(model, inputs.rows[:1], puzzles, qtype, recipe)
    precision: Precision = "int8" if qtype == "int8" else "fp8"
    return GraphInputs(ready.model, precision, qtype, ready.layers)


def _backend(
    model: TinyRecursiveModel,
    graph_inputs: GraphInputs,
    inputs: Inputs,
    folder: Path,
    threads: int,
    profile: Any = None,
) -> Step:
    path = folder / f"{len(list(folder.glob('*.onnx')))}.onnx"
    onnx.save(target_graph(graph_inputs, profile or load_profile("cpu")), path)
    backend = OnnxRuntimeBackend(path, model.config, threads=threads)
    backend.activate()

    def step(slots: int) -> None:
        backend.run(*inputs.of(slots))

    return step


def pytorch(
    model: TinyRecursiveModel, inputs: Inputs, *, compiled: bool
) -> Iterator[tuple[str, Step]]:
    """The model as the published code computes it: weights cast to bfloat16, or float32."""
    for dtype in (torch.bfloat16, torch.float32):
        cast = TinyRecursiveModel(model.config).requires_grad_(False).eval()
        cast.load_state_dict(model.state_dict())
        cast.to(dtype)
        name = str(dtype).removeprefix("torch.")
        yield f"PyTorch {name}, eager", _torch_step(cast, cast, inputs, dtype)
        if compiled and dtype == torch.bfloat16:
            quick = torch.compile(cast, dynamic=False)
            yield f"PyTorch {name}, torch.compile", _torch_step(cast, quick, inputs, dtype)


def _torch_step(model: TinyRecursiveModel, call: Any, inputs: Inputs, dtype: torch.dtype) -> Step:
    @torch.inference_mode()
    def step(slots: int) -> None:
        tokens, rows, reset, z_H, z_L = (torch.from_numpy(part) for part in inputs.of(slots))
        call(tokens, rows.to(dtype), reset, Carry(z_H.to(dtype), z_L.to(dtype)))

    return step


class _Unrolled(torch.nn.Module):
    def __init__(self, model: TinyRecursiveModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Any, rows: Any, reset: Any, z_H: Any, z_L: Any) -> tuple[Any, ...]:
        output = self.model(tokens, rows, reset, Carry(z_H, z_L))
        return (*output.carry, output.logits, output.q_halt, output.q_continue)


def naive(
    model: TinyRecursiveModel, inputs: Inputs, folder: Path, threads: int
) -> Iterator[tuple[str, Step]]:
    """``torch.onnx.export`` of the unrolled step, and ONNX Runtime's own quantizers over it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic
    from onnxruntime.quantization import quantize_static as static

    path = folder / "naive.onnx"
    names = ["tokens", "rows", "reset", "z_H", "z_L"]
    batch = torch.export.Dim("B", min=1, max=len(inputs.tokens))
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Unrolled(model),
            tuple(torch.from_numpy(part) for part in inputs.of(2)),
            path,
            input_names=names,
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in names),
            external_data=False,
            verbose=False,
        )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [dict(zip(names, inputs.of(2), strict=True))]

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return self.left.pop() if self.left else None

    dynamic, fixed = folder / "naive-dynamic.onnx", folder / "naive-static.onnx"
    products = {"op_types_to_quantize": ["MatMul"], "per_channel": True}
    quantize_dynamic(path, dynamic, **products)
    static(path, fixed, Reader(), quant_format=QuantFormat.QDQ, **products)
    logging.disable(logging.NOTSET)
    for name, file in (
        (NAIVE, path),
        ("naive export, quantize_dynamic", dynamic),
        ("naive export, quantize_static", fixed),
    ):
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        taken = {spec.name for spec in session.get_inputs()}
        yield name, _session_step(session, names, taken, inputs)


def _session_step(session: Any, names: list[str], taken: set[str], inputs: Inputs) -> Step:
    def step(slots: int) -> None:
        given = zip(names, inputs.of(slots), strict=True)
        session.run(None, {name: part for name, part in given if name in taken})

    return step
