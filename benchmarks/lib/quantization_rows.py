"""The rows of the quantizer's tables: recipes that differ from the default in one thing each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import onnx
from numpy import float32
from numpy.typing import NDArray

from lib.modelopt_route import modelopt_graph
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.observation import InputObservation, observe_inputs
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.export.model import RecursiveModel
from trm_edge.export.step_graph import step_graph
from trm_edge.progress import Track
from trm_edge.puzzle import Puzzle


@dataclass
class Subject:
    """A model to quantize.

    Args:
        model: the float32 model.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: to calibrate on.
        folder: for temporary files.
        track: reports progress.
    """

    model: RecursiveModel
    table: NDArray[float32] | None
    puzzles: list[Puzzle]
    folder: Path
    track: Track
    _observed: list[InputObservation] = field(default_factory=list)

    def observed(self, recipe: CalibrationRecipe) -> InputObservation:
        """Observe the inputs of the layers, once for all recipes that see the same.

        Args:
            recipe: settings of a calibration.
        """
        for observation in self._observed:
            if not observation.differences(recipe):
                return observation
        observation = observe_inputs(self.model, self.table, self.puzzles, recipe, self.track)
        self._observed.append(observation)
        return observation


Row = Callable[[Subject], onnx.ModelProto]


def ours(qtype: QType, recipe: CalibrationRecipe, *, in_float: tuple[str, ...] = ()) -> Row:
    """The quantizer here; layers with one of ``in_float`` in their name stay in float, too."""

    def graph(subject: Subject) -> onnx.ModelProto:
        ready = calibrate(
            subject.model,
            subject.table,
            subject.puzzles,
            qtype,
            recipe,
            subject.track,
            subject.observed(recipe),
        )
        layers = {}
        for name, quantization in ready.layers.items():
            if recipe.keeps_in_float(name):
                continue
            if not any(part in name for part in in_float):
                layers[name] = quantization
        return quantize_graph(step_graph(ready.model), layers, qtype)

    return graph


def modelopt(qtype: Literal["int8", "fp8"], puzzles: int, *, in_float: tuple[str, ...] = ()) -> Row:
    """nvidia-modelopt's ONNX route."""

    def graph(subject: Subject) -> onnx.ModelProto:
        return modelopt_graph(
            subject.model,
            subject.table,
            subject.puzzles[:puzzles],
            qtype,
            subject.folder,
            in_float=in_float,
            track=subject.track,
        )

    return graph


INT8, FP8, INT4 = (CalibrationRecipe.default(qtype) for qtype in ("int8", "fp8", "int4"))
STATIC = replace(INT8, activations="per_layer")
EVERY_ROW = replace(INT8, activations="per_token")
WEIGHT_ONLY = replace(INT8, activations="float")
NAIVE = replace(STATIC, equalisation=(0.0,), compensated_rounding=False)

DEFAULTS: dict[str, Row] = {"INT8": ours("int8", INT8), "FP8": ours("fp8", FP8)}
# Rows of the ablations that are rows of the defaults on fewer puzzles.
SAME_AS = {"INT8, the default": "INT8", "FP8, the default": "FP8"}
ABLATIONS: dict[str, Row] = {
    "INT8, the default": ours("int8", INT8),
    "INT8, per-token ranges": ours("int8", EVERY_ROW),
    "… weights rounded to nearest": ours("int8", replace(EVERY_ROW, compensated_rounding=False)),
    "… no equalisation": ours("int8", replace(EVERY_ROW, equalisation=(0.0,))),
    "… bias correction": ours("int8", replace(EVERY_ROW, bias_correction=True)),
    "… mlp_t in float": ours("int8", EVERY_ROW, in_float=("mlp_t",)),
    "INT8, per-tensor ranges": ours("int8", STATIC),
    "… first step only": ours("int8", replace(STATIC, steps=(1,))),
    "… random normal carries": ours("int8", replace(STATIC, carries="random")),
    "… per-call-site ranges": ours("int8", replace(STATIC, activations="per_call_site")),
    "… by percentile": ours("int8", replace(STATIC, method="percentile")),
    "… by entropy": ours("int8", replace(STATIC, method="entropy")),
    "… by mse": ours("int8", replace(STATIC, method="mse")),
    "… bias correction (static)": ours("int8", replace(STATIC, bias_correction=True)),
    "… no equalisation (static)": ours("int8", replace(STATIC, equalisation=(0.0,))),
    "… no equalisation, rounded to nearest": ours("int8", NAIVE),
    "ModelOpt's ONNX route, INT8": modelopt("int8", 32),
    "… down-projections in float": modelopt("int8", 32, in_float=(".down",)),
    "FP8, the default": ours("fp8", FP8),
    "… per-token ranges": ours("fp8", replace(FP8, activations="per_token")),
    "… per-call-site ranges (FP8)": ours("fp8", replace(FP8, activations="per_call_site")),
    "… rounded to nearest (FP8)": ours("fp8", replace(FP8, compensated_rounding=False)),
    "ModelOpt's ONNX route, FP8": modelopt("fp8", 32),
    "INT8 weights only": ours("int8", WEIGHT_ONLY),
    "INT4 weights only": ours("int4", INT4),
    "… rounded to nearest (INT4)": ours("int4", replace(INT4, compensated_rounding=False)),
}
# For the model with attention: the rows that add something to those of the other model.
_AGAIN = (
    "INT8, the default",
    "INT8, per-token ranges",
    "… no equalisation",
    "INT8, per-tensor ranges",
    "… first step only",
    "… random normal carries",
    "… per-call-site ranges",
    "… by entropy",
    "… no equalisation, rounded to nearest",
    "ModelOpt's ONNX route, INT8",
    "FP8, the default",
    "INT8 weights only",
    "INT4 weights only",
)
ABLATIONS_OF = {"sudoku": ABLATIONS, "maze": {name: ABLATIONS[name] for name in _AGAIN}}
