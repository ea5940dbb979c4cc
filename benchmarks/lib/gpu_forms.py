"""Forms of quantized step graphs for GPUs: how each rounds the inputs of matrix products.

Forms of a type whose products are rounded alike share one calibration: same equalisation, same
weights. They differ in ranges, in what else is divided by its own magnitude, and in what stays in
float.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy import float32
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.calibrate import Calibration, calibrate
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import (
    Activations,
    CalibrationRecipe,
    QType,
    RangeMethod,
    activations_of,
)
from trm_edge.calibration.trajectories import run_trajectories
from trm_edge.export.model import RecursiveModel
from trm_edge.progress import Track
from trm_edge.puzzle import Puzzle

Layers = Mapping[str, LayerQuantization]


@dataclass(frozen=True)
class Form:
    """A form of the quantized graph.

    Args:
        label: its row in the table.
        qtype: the quantized type.
        activations: rounding of the inputs of matrix products.
        method: method of the ranges measured in calibration.
        call_sites: one range for each pass of the network, where the range is measured.
        halting_position: ranges from the first position alone, which the halting head reads.
        in_float: layers with this in their name stay in float.
        refit: the bias of the halting logit is fitted again.
    """

    label: str
    qtype: QType
    activations: Activations
    method: RangeMethod = "max"
    call_sites: bool = False
    halting_position: bool = False
    in_float: str = ""
    refit: bool = False


def _int8_forms() -> list[Form]:
    static: Activations = "per_layer"
    rows: Activations = "per_token_products"
    return [
        Form("per tensor by entropy", "int8", static, "entropy"),
        Form("per tensor by max", "int8", static),
        Form("per tensor by MSE", "int8", static, "mse"),
        Form("per tensor by percentile", "int8", static, "percentile"),
        Form("per call site by max", "int8", static, call_sites=True),
        Form("per tensor by MSE at the halting position", "int8", static, "mse", False, True),
        Form("products by row, others by max", "int8", rows),
        Form("products by row, others by entropy", "int8", rows, "entropy"),
        Form("products by row, others by MSE", "int8", rows, "mse"),
        Form("products by row, others per call site", "int8", rows, call_sites=True),
        Form("products by row, halting logit re-fitted", "int8", rows, refit=True),
        Form("every input by row", "int8", "per_token"),
    ]


def _fp8_forms() -> list[Form]:
    static: Activations = "per_layer"
    return [
        Form("per tensor by max", "fp8", static),
        Form("per tensor by MSE", "fp8", static, "mse"),
        Form("per call site by max", "fp8", static, call_sites=True),
        Form("products by row, others by max", "fp8", "per_token_products"),
        Form("every input by row", "fp8", "per_token"),
        Form("per tensor, halting logit re-fitted", "fp8", static, refit=True),
    ]


def forms_of(model: RecursiveModel) -> list[Form]:
    """List the forms to compare on a model.

    Args:
        model: its kinds of layers are kept in float in turn.
    """
    kinds = ["mlp.gate_up_proj", "mlp.down_proj"]
    if model.config.mlp_t:
        kinds += ["mlp_t.gate_up_proj", "mlp_t.down_proj", "mlp_t"]
    else:
        kinds += ["self_attn.qkv_proj", "self_attn.o_proj"]
    forms = _int8_forms()
    for kind in kinds:
        label = f"products by row, {kind} in float16"
        forms.append(Form(label, "int8", "per_token_products", in_float=kind))
    forms += _fp8_forms()
    for kind in kinds:
        label = f"per tensor, {kind} in float16"
        forms.append(Form(label, "fp8", "per_layer", in_float=kind))
    return forms


@dataclass
class CalibratedForms:
    """The calibrations of all forms, and the ranges of every method, each made once.

    Args:
        model: the float32 model.
        table: puzzle embeddings (N, E) float32, or None.
        puzzles: to calibrate on.
        track: reports progress.
    """

    model: RecursiveModel
    table: NDArray[float32] | None
    puzzles: Sequence[Puzzle]
    track: Track
    _calibrations: dict[_Rounding, Calibration] = field(default_factory=dict)
    _ranges: dict[_Rounding, _Ranges] = field(default_factory=dict)

    def calibration(self, form: Form) -> Calibration:
        """Calibrate, or return the calibration of an earlier form.

        Args:
            form: the form.
        """
        rounding = _Rounding.of(form)
        if rounding not in self._calibrations:
            recipe = replace(
                CalibrationRecipe.default(form.qtype), activations=rounding.activations
            )
            self._calibrations[rounding] = calibrate(
                self.model, self.table, self.puzzles, form.qtype, recipe, self.track
            )
        return self._calibrations[rounding]

    def layers(self, form: Form) -> Layers:
        """The quantization of each layer in a form; layers in float are absent.

        Args:
            form: the form.
        """
        calibration = self.calibration(form)
        ranges = {name: layer.amax for name, layer in calibration.layers.items()}
        source = _Source(form.method, form.call_sites, form.halting_position)
        if source != _Source():
            ranges = self._measured(form)[source]
        layers = {}
        for name, quantization in calibration.layers.items():
            if form.in_float and form.in_float in name:
                continue
            activations = activations_of(name, form.activations)
            amax = ranges[name]
            if form.call_sites and activations == "per_layer":
                activations = "per_call_site"
            elif len(amax) > 1:
                amax = (max(amax),)
            layers[name] = replace(quantization, activations=activations, amax=amax)
        return layers

    def _measured(self, form: Form) -> _Ranges:
        """Ranges by all methods from one run of the equalised model."""
        rounding = _Rounding.of(form)
        if rounding not in self._ranges:
            calibration = self.calibration(form)
            observers = {}
            for name, layer in calibration.layers.items():
                observers[name] = _Observers(name, form.qtype, layer.amax[0])
            run_trajectories(
                calibration.model,
                self.table,
                list(self.puzzles)[: calibration.recipe.puzzles],
                observers,
                calibration.recipe,
                track=self.track,
                description="ranges",
            )
            ranges: _Ranges = {}
            for name, observer in observers.items():
                for source, amax in observer.ranges().items():
                    ranges.setdefault(source, {})[name] = amax
            self._ranges[rounding] = ranges
        return self._ranges[rounding]


@dataclass(frozen=True)
class _Rounding:
    """What equalisation and the weights depend on."""

    qtype: QType
    activations: Activations  # per_layer, or per_token_products where products are divided

    @classmethod
    def of(cls, form: Form) -> _Rounding:
        if form.activations == "per_layer":
            return cls(form.qtype, "per_layer")
        return cls(form.qtype, "per_token_products")


@dataclass(frozen=True)
class _Source:
    """Origin of a range."""

    method: RangeMethod = "max"
    call_sites: bool = False
    halting_position: bool = False


_Ranges = dict[_Source, dict[str, tuple[float, ...]]]  # by origin and layer


class _Observers:
    """All ranges of a layer from one run."""

    def __init__(self, name: str, qtype: QType, largest: float) -> None:
        self._by_position = ".mlp_t." not in name  # its inputs mix all positions
        methods: list[RangeMethod] = ["mse", "percentile"]
        if qtype == "int8":
            methods.append("entropy")
        sources = [_Source(method) for method in methods]
        sources += [_Source("max", call_sites=True), _Source("mse", halting_position=True)]
        self._observers: dict[_Source, RangeObserver] = {}
        for source in sources:
            activations: Activations = "per_call_site" if source.call_sites else "per_layer"
            recipe = CalibrationRecipe(activations=activations, method=source.method)
            self._observers[source] = RangeObserver(recipe, qtype, largest)

    def __call__(self, inputs: Tensor, site: int) -> None:
        for source, observer in self._observers.items():
            if source.halting_position and self._by_position:
                observer(inputs[:, :1], site)
            else:
                observer(inputs, site)

    def ranges(self) -> dict[_Source, tuple[float, ...]]:
        return {source: observer.amax() for source, observer in self._observers.items()}


def refitted(
    model: RecursiveModel,
    reference: tuple[NDArray[float32], NDArray[np.int32]],
    q_halt: NDArray[float32],
) -> RecursiveModel:
    """Shift the bias of the halting logit to where quantization leaves it in the middle.

    Args:
        model: the calibrated model; it is not changed.
        reference: halting logits (n, T) and halting steps (n,) of float32 on puzzles.
        q_halt: halting logits (n, T) of the quantized graph on the same puzzles.
    """
    logits, halting_steps = reference
    running = np.arange(1, logits.shape[1] + 1) <= halting_steps[:, None]
    shift = float(np.median((logits - q_halt)[running]))
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed.q_head.bias[0] += shift
    return changed
