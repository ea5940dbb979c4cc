"""Calibration as one call: watch the model think, equalise, take ranges, round the weights."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.equalise import best_power, channel_factors, equalise, swiglus
from trm_edge.calibration.grid import round_inputs, round_weight, weight_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.rounding import round_compensated
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.calibration_record import CalibrationCoverage
from trm_edge.errors import CalibrationError, CalibrationWarning
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle


@dataclass(frozen=True)
class Calibration:
    """A model made ready to be quantized."""

    model: TinyRecursiveModel  # equalised, its matrices not rounded
    qtype: QType
    layers: dict[str, LayerQuantization]
    recipe: CalibrationRecipe
    coverage: CalibrationCoverage


@torch.no_grad()
def calibrate(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    qtype: QType,
    recipe: CalibrationRecipe,
    track: Track = silent,
) -> Calibration:
    """Calibrate on the true carries of ``puzzles``; the model that is given stays as it is.

    Raises:
        CalibrationError: no puzzles, or an input that is always zero or not finite.
    """
    model = copy.deepcopy(model)
    chosen = list(puzzles)[: recipe.puzzles]
    generator = torch.Generator().manual_seed(recipe.seed)
    seen = {name: InputStatistics(generator) for name in linear_layers(model)}
    coverage = run_trajectories(model, puzzle_embeddings, chosen, seen, recipe, track=track)
    _check_inputs(seen)
    powers = _powers(model, seen, qtype, recipe)
    equalise(model, {name: statistics.amax for name, statistics in seen.items()}, powers)
    factors = {name: channel_factors(seen[name].amax, power) for name, power in powers.items()}
    amax: dict[str, tuple[float, ...]] = {
        name: (float((seen[name].amax / factors[name]).max()),) for name in powers
    }
    if recipe.needs_observers:
        observers = {name: RangeObserver(recipe, qtype, amax[name][0]) for name in powers}
        run_trajectories(
            model, puzzle_embeddings, chosen, observers, recipe, track=track, what="ranges"
        )
        amax = {name: observer.amax() for name, observer in observers.items()}
    layers = {}
    for name, module in linear_layers(model).items():
        weight, scales = module.weight, weight_scales(module.weight, qtype)
        if recipe.compensated_rounding:
            gram = seen[name].gram / torch.outer(factors[name], factors[name]).double()
            rounded = round_compensated(weight, scales, gram, qtype)
        else:
            rounded = round_weight(weight, scales, qtype)
        layers[name] = LayerQuantization(
            activations=recipe.activations_of(name),
            amax=amax[name],
            weight=rounded,
            weight_scales=scales.numpy(),
            equalisation=powers[name],
            channel_amax=seen[name].amax,
        )
        if recipe.bias_correction:
            inputs = seen[name].sample / factors[name]
            bias = _missing_mean(layers[name], weight, inputs, qtype)
            layers[name] = replace(layers[name], bias=bias)
    return Calibration(model, qtype, layers, recipe, coverage)


def _missing_mean(
    how: LayerQuantization, weight: Tensor, inputs: Tensor, qtype: QType
) -> NDArray[np.float32]:
    """What quantization takes from the mean of the product (out,), on recorded inputs (n, in)."""
    rounded = round_inputs(inputs, max(how.amax), qtype, how.activations)
    missing: NDArray[np.float32] = (inputs @ weight.T - rounded @ how.weight.T).mean(0).numpy()
    return missing


def _check_inputs(seen: dict[str, InputStatistics]) -> None:
    dead = [name for name, statistics in seen.items() if not statistics.amax.max() > 0]
    if dead:
        raise CalibrationError(
            f"the input of {', '.join(dead)} is always zero on these puzzles, so no scale can be "
            "chosen. Calibrate on more and more varied puzzles, or check the checkpoint."
        )
    constant = [name for name, statistics in seen.items() if statistics.constant]
    if constant:
        warnings.warn(
            f"the input of {', '.join(constant)} never changes on these puzzles, so its range "
            "says nothing about others. Calibrate on more and more varied puzzles, or check the "
            "checkpoint.",
            CalibrationWarning,
            stacklevel=3,
        )


def _powers(
    model: TinyRecursiveModel,
    seen: dict[str, InputStatistics],
    qtype: QType,
    recipe: CalibrationRecipe,
) -> dict[str, float]:
    """The power to equalise each layer's input by: measured for SwiGLU products, else 0."""
    powers = dict.fromkeys(seen, 0.0)
    for name, module in swiglus(model).items():
        down = f"{name}.down_proj"
        weight = module.down_proj.weight
        rounding = recipe.activations_of(down)
        powers[down] = best_power(weight, seen[down], recipe.equalisation, qtype, rounding)
    return powers
