"""Calibration in one call: observe the inputs of layers, equalise, choose ranges, round weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.equalise import best_power, channel_factors, equalise, swiglus
from trm_edge.calibration.grid import round_inputs
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.observation import InputObservation, observe_inputs
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.rounding import CompensatedRounding, NearestRounding
from trm_edge.calibration.saturation import round_layer
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.calibration_record import CalibrationCoverage
from trm_edge.errors import CalibrationError, CalibrationWarning
from trm_edge.export.model import RecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle


@dataclass(frozen=True)
class Calibration:
    """A model with the quantization of its layers.

    Args:
        model: the equalised model; its matrices are not rounded.
        qtype: the quantized type.
        layers: quantization by layer name.
        recipe: settings of the calibration.
        coverage: counts of what was observed.
    """

    model: RecursiveModel
    qtype: QType
    layers: dict[str, LayerQuantization]
    recipe: CalibrationRecipe
    coverage: CalibrationCoverage


@torch.no_grad()
def calibrate(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    qtype: QType,
    recipe: CalibrationRecipe,
    track: Track = silent,
    observed: InputObservation | None = None,
) -> Calibration:
    """Calibrate a model on the carries of puzzles.

    Args:
        model: the float32 model; it is not changed.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        puzzles: the first ``recipe.puzzles`` of them are used.
        qtype: the quantized type.
        recipe: settings of the calibration.
        track: reports progress.
        observed: of :func:`~trm_edge.calibration.observation.observe_inputs` for the same model,
            puzzles and settings; by default the inputs are observed here.

    Raises:
        CalibrationError: there are no puzzles, an input is always zero or not finite, the type
            does not support the recipe's method, or ``observed`` has other settings.
        ConfigError: the recipe observes only steps or passes that the model does not have, or the
            table does not fit the model.
        MissingExtraError: nvidia-modelopt is not installed.

    Warns:
        CalibrationWarning: an input never changes.
    """
    model = copy.deepcopy(model)
    if observed is None:
        observed = observe_inputs(model, puzzle_embeddings, puzzles, recipe, track)
    observed.require_same_inputs(recipe)
    statistics = observed.statistics
    _check_inputs(statistics)
    powers = _powers(model, statistics, qtype, recipe)
    channel_amax = {name: inputs.amax for name, inputs in statistics.items()}
    equalise(model, channel_amax, powers)
    amax: dict[str, tuple[float, ...]] = {}
    for name, largest in channel_amax.items():
        factors = channel_factors(largest, powers[name])
        amax[name] = (float((largest / factors).max()),)
    if recipe.needs_observers:
        observers = {name: RangeObserver(recipe, qtype, amax[name][0]) for name in amax}
        selected = list(puzzles)[: recipe.puzzles]
        run_trajectories(
            model, puzzle_embeddings, selected, observers, recipe, track=track, description="ranges"
        )
        amax = {name: observer.amax() for name, observer in observers.items()}
    layers = {}
    for name, module in linear_layers(model).items():
        layers[name] = _quantize_layer(
            name, module.weight, statistics[name], powers[name], amax[name], qtype, recipe
        )
    return Calibration(model, qtype, layers, recipe, observed.coverage)


def _quantize_layer(
    name: str,
    weight: Tensor,
    statistics: InputStatistics,
    power: float,
    amax: tuple[float, ...],
    qtype: QType,
    recipe: CalibrationRecipe,
) -> LayerQuantization:
    """Round an equalised weight (out, in); the statistics are from before equalisation."""
    factors = channel_factors(statistics.amax, power)
    activations = recipe.activations_of(name)
    rounding = NearestRounding()
    if recipe.compensated_rounding:
        rounding = CompensatedRounding(statistics.gram / torch.outer(factors, factors).double())
    rounded, scales = round_layer(weight, qtype, activations, rounding)
    quantization = LayerQuantization(
        activations=activations,
        amax=amax,
        weight=rounded,
        weight_scales=scales.numpy(),
        equalisation=power,
        channel_amax=statistics.amax,
    )
    if recipe.bias_correction:
        inputs = statistics.sample / factors
        bias = _mean_error(quantization, weight, inputs, qtype)
        quantization = replace(quantization, bias=bias)
    return quantization


def _mean_error(
    quantization: LayerQuantization, weight: Tensor, inputs: Tensor, qtype: QType
) -> NDArray[np.float32]:
    """Mean that quantization takes from the product (out,), on recorded inputs (n, in)."""
    amax = max(quantization.amax)
    rounded = round_inputs(inputs, amax, qtype, quantization.activations)
    error = inputs @ weight.T - rounded @ quantization.weight.T
    mean: NDArray[np.float32] = error.mean(0).numpy()
    return mean


def _check_inputs(statistics: Mapping[str, InputStatistics]) -> None:
    zero = [name for name, observed in statistics.items() if not observed.amax.max() > 0]
    if zero:
        raise CalibrationError(
            f"the input of {', '.join(zero)} is always zero on these puzzles, so no scale can be "
            "chosen. Calibrate on more and more varied puzzles, or check the checkpoint."
        )
    constant = [name for name, observed in statistics.items() if observed.constant]
    if constant:
        warnings.warn(
            f"the input of {', '.join(constant)} never changes on these puzzles, so its range "
            "says nothing about others. Calibrate on more and more varied puzzles, or check the "
            "checkpoint.",
            CalibrationWarning,
            stacklevel=3,
        )


def _powers(
    model: RecursiveModel,
    statistics: Mapping[str, InputStatistics],
    qtype: QType,
    recipe: CalibrationRecipe,
) -> dict[str, float]:
    """Powers to equalise the layers' inputs by: measured for SwiGLU products, else 0."""
    powers = dict.fromkeys(statistics, 0.0)
    for name, module in swiglus(model).items():
        down = f"{name}.down_proj"
        weight = module.down_proj.weight
        activations = recipe.activations_of(down)
        powers[down] = best_power(weight, statistics[down], recipe.equalisation, qtype, activations)
    return powers
