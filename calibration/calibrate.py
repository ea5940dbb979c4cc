"""Calibration as one call: watch the model think, equalise, take ranges, round the weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.calibration.equalise import best_power, channel_factors, equalise_product, swiglus
from trm_edge.calibration.grid import round_to_grid, weight_scales
from trm_edge.calibration.ranges import RangeObserver
from trm_edge.calibration.recipe import CalibrationRecipe, Precision8
from trm_edge.calibration.rounding import round_compensated
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import Extent, linear_layers, run_trajectories
from trm_edge.errors import CalibrationError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.solver import Puzzle

FORMAT = "trm-edge.calibration/1"


@dataclass(frozen=True)
class LayerQuantization:
    """How one matrix product goes into 8 bits."""

    amax: float  # largest magnitude of its input over all carries
    per_token: bool  # each row by its own range, `amax` is for information
    weight_scales: NDArray[np.float32]  # (out,)
    equalisation: float  # power of the amax that its input channels were divided by


@dataclass(frozen=True)
class Calibration:
    """A model made ready for 8 bits: its matrices lie on the grids of their scales."""

    model: TinyRecursiveModel
    precision: Precision8
    layers: dict[str, LayerQuantization]
    recipe: CalibrationRecipe
    extent: Extent

    def to_dict(self, checkpoint_sha256: str) -> dict[str, Any]:
        """The content of ``calibration.json``."""
        return {
            "format": FORMAT,
            "checkpoint_sha256": checkpoint_sha256,
            "precision": self.precision,
            "recipe": self.recipe.to_dict(),
            "seen": asdict(self.extent),
            "layers": {
                name: {
                    "amax": layer.amax,
                    "per_token": layer.per_token,
                    "equalisation": layer.equalisation,
                }
                for name, layer in self.layers.items()
            },
        }


@torch.no_grad()
def calibrate(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    precision: Precision8,
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
    extent = run_trajectories(
        model, puzzle_embeddings, chosen, seen, batch=recipe.batch, track=track
    )
    dead = [name for name, statistics in seen.items() if not statistics.amax.max() > 0]
    if dead:
        raise CalibrationError(
            f"the input of {', '.join(dead)} is always zero on these puzzles, so no scale can be "
            "chosen. Calibrate on more and more varied puzzles, or check the checkpoint."
        )
    powers = _equalise(model, seen, precision, recipe)
    if recipe.per_token:
        amax = {
            name: float((seen[name].amax / channel_factors(seen[name].amax, power)).max())
            for name, power in powers.items()
        }
    else:
        observers = {name: RangeObserver(recipe, precision) for name in powers}
        run_trajectories(
            model,
            puzzle_embeddings,
            chosen,
            observers,
            batch=recipe.batch,
            track=track,
            what="calibrating: ranges",
        )
        amax = {name: observer.amax() for name, observer in observers.items()}
    layers = {}
    for name, module in linear_layers(model).items():
        scales = weight_scales(module.weight, precision)
        if recipe.compensated_rounding:
            factors = channel_factors(seen[name].amax, powers[name]).double()
            gram = seen[name].gram / torch.outer(factors, factors)
            rounded = round_compensated(module.weight, scales, gram, precision)
        else:
            rounded = round_to_grid(module.weight, scales, precision)
        module.weight.copy_(rounded)
        layers[name] = LayerQuantization(
            amax[name], recipe.per_token, scales[:, 0].numpy(), powers[name]
        )
    return Calibration(model, precision, layers, recipe, extent)


def _equalise(
    model: TinyRecursiveModel,
    seen: dict[str, InputStatistics],
    precision: Precision8,
    recipe: CalibrationRecipe,
) -> dict[str, float]:
    """Equalise every SwiGLU product; the power taken for each layer's input, 0 for the others."""
    powers = dict.fromkeys(seen, 0.0)
    for name, module in swiglus(model).items():
        down = f"{name}.down_proj"
        powers[down] = best_power(
            module.down_proj.weight,
            seen[down],
            recipe.equalisation,
            precision,
            per_token=recipe.per_token,
        )
        equalise_product(module, channel_factors(seen[down].amax, powers[down]))
    return powers
