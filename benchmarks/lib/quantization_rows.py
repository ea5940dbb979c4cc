"""The rows of the quantizer's tables: recipes that differ from the default in one thing each."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import onnx
import torch
from numpy import float32
from numpy.typing import NDArray

from lib.modelopt_route import modelopt_graph
from lib.references import WIDE
from trm_edge.architecture import network_of
from trm_edge.calibration.calibrate import Calibration, calibrate
from trm_edge.calibration.observation import InputObservation, observe_inputs
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.export.model import RecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
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
    _calibrations: dict[tuple[QType, CalibrationRecipe], Calibration] = field(default_factory=dict)

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

    def calibrated(self, qtype: QType, recipe: CalibrationRecipe) -> Calibration:
        """Calibrate the model, once for all rows with the same recipe.

        Args:
            qtype: the quantized type.
            recipe: settings of the calibration.
        """
        key = (qtype, recipe)
        if key not in self._calibrations:
            self._calibrations[key] = calibrate(
                self.model,
                self.table,
                self.puzzles,
                qtype,
                recipe,
                self.track,
                self.observed(recipe),
            )
        return self._calibrations[key]


# A row makes a step graph, which ONNX Runtime runs, or a model, which PyTorch runs in its own type.
Row = Callable[[Subject], onnx.ModelProto | RecursiveModel]


def in_float32(subject: Subject) -> onnx.ModelProto:
    """The float32 graph, which other rows are compared with.

    Args:
        subject: the model.
    """
    return onnxruntime_step_graph(subject.model)


def in_bfloat16(subject: Subject) -> RecursiveModel:
    """The model in bfloat16 throughout, as the published evaluation runs it.

    Args:
        subject: the model.
    """
    model = copy.deepcopy(subject.model).to(torch.bfloat16)
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        # There PyTorch multiplies bfloat16 in a plain loop, ten times as slow as float32.
        for module in list(model.modules()):
            for name, child in module.named_children():
                if isinstance(child, torch.nn.Linear):
                    setattr(module, name, RoundedLinear(child))
    return model


class RoundedLinear(torch.nn.Module):
    """A bfloat16 product: exact factors, added in float32, the sum rounded to bfloat16.

    Args:
        linear: in bfloat16.
    """

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self._weight = linear.weight.float()
        self._bias = None if linear.bias is None else linear.bias.float()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Multiply.

        Args:
            inputs: (..., K) bfloat16.
        """
        sums = torch.nn.functional.linear(inputs.float(), self._weight, self._bias)
        return sums.to(inputs.dtype)


def ours(qtype: QType, recipe: CalibrationRecipe, *, in_float: tuple[str, ...] = ()) -> Row:
    """The quantizer here, in the form of the ``cpu`` target.

    Args:
        qtype: the quantized type.
        recipe: settings of the calibration.
        in_float: layers with one of these in their name stay in float, too.
    """

    def graph(subject: Subject) -> onnx.ModelProto:
        ready = subject.calibrated(qtype, recipe)
        layers = {}
        for name, quantization in ready.layers.items():
            if recipe.keeps_in_float(name):
                continue
            if not any(part in name for part in in_float):
                layers[name] = quantization
        return quantize_graph(onnxruntime_step_graph(ready.model), layers, qtype)

    return graph


def rounded_weights(bits: int) -> Row:
    """Weights rounded to the nearest of ``bits`` bits, one scale per output channel.

    Everything else stays in float32, so nothing but the weights can change an answer.

    Args:
        bits: width of a weight, sign included.
    """
    levels = 2 ** (bits - 1) - 1

    def graph(subject: Subject) -> onnx.ModelProto:
        model = copy.deepcopy(subject.model)
        for network in model.networks.values():
            for module in network.modules():
                if isinstance(module, torch.nn.Linear):
                    weight = module.weight.data  # (outputs, inputs)
                    scale = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / levels
                    module.weight.data = torch.round(weight / scale) * scale
        return onnxruntime_step_graph(model)

    return graph


def by_network(qtype: QType, recipes: Mapping[str, CalibrationRecipe]) -> Row:
    """The quantizer here with a recipe for each network.

    Args:
        qtype: the quantized type.
        recipes: by network; the networks that are left out stay in float.
    """

    def graph(subject: Subject) -> onnx.ModelProto:
        model = copy.deepcopy(subject.model)
        layers = {}
        for network, recipe in recipes.items():
            ready = subject.calibrated(qtype, recipe)
            equalised = ready.model.networks[network].state_dict()
            model.networks[network].load_state_dict(equalised)
            for name, quantization in ready.layers.items():
                if network_of(name) == network and not recipe.keeps_in_float(name):
                    layers[name] = quantization
        return quantize_graph(onnxruntime_step_graph(model), layers, qtype)

    return graph


def modelopt(qtype: Literal["int8", "fp8"], puzzles: int, *, in_float: tuple[str, ...] = ()) -> Row:
    """nvidia-modelopt's ONNX route.

    Args:
        qtype: the quantized type.
        puzzles: number of puzzles to calibrate on.
        in_float: endings of the names of products that stay in float.
    """

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

DEFAULTS: dict[str, Row] = {
    "bfloat16": in_bfloat16,
    "INT8": ours("int8", INT8),
    "FP8": ours("fp8", FP8),
}
DEFAULTS_OF = {
    "sudoku": DEFAULTS,
    "maze": DEFAULTS,
    # It has no ablation, which says what INT4 does to the small models.
    WIDE: {**DEFAULTS, "INT4 weights only": ours("int4", INT4)},
}
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
    "… every layer in FP8": ours("fp8", replace(FP8, float_layers=())),
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
ABLATIONS_OF = {
    "sudoku": ABLATIONS,
    "maze": {name: ABLATIONS[name] for name in _AGAIN},
    WIDE: {},
}
# What rounding the weights alone does, by their width.
ROUNDING: dict[str, Row] = {
    f"weights of {bits} bits": rounded_weights(bits) for bits in (6, 7, 8, 10, 12)
}
