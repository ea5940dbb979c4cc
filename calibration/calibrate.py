"""Calibration as one call: equalise, take ranges, and say from what."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.calibration.equalise import channel_factors, equalise_products, product_observers
from trm_edge.calibration.ranges import RangeObserver, layer_amax
from trm_edge.calibration.recipe import CalibrationRecipe, Precision8
from trm_edge.calibration.trajectories import Extent, linear_layers, run_trajectories
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.solver import Puzzle

FORMAT = "trm-edge.calibration/1"


@dataclass(frozen=True)
class Calibration:
    """A model made ready for 8 bits, and the range of every layer's input."""

    model: TinyRecursiveModel  # equalised; computes what the original computes
    precision: Precision8
    amax: dict[str, float]  # by layer
    factors: dict[str, list[float]]  # s_c of every equalised product, by down-projection
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
            "amax": self.amax,
            "product_factors": self.factors,
        }


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
        CalibrationError: no puzzles, a range that is zero or not finite.
    """
    model = copy.deepcopy(model)
    chosen = list(puzzles)[: recipe.puzzles]
    factors: dict[str, list[float]] = {}
    if recipe.equalisation:
        products = product_observers(model)
        run_trajectories(
            model,
            puzzle_embeddings,
            chosen,
            products,
            batch=recipe.batch,
            track=track,
            what="calibrating: product channels",
        )
        scales = {
            name: channel_factors(observer.amax, recipe.equalisation)
            for name, observer in products.items()
            if observer.amax is not None
        }
        equalise_products(model, scales)
        factors = {name: scale.tolist() for name, scale in scales.items()}
    observers = {name: RangeObserver(recipe, precision) for name in linear_layers(model)}
    extent = run_trajectories(
        model,
        puzzle_embeddings,
        chosen,
        observers,
        batch=recipe.batch,
        track=track,
        what="calibrating: ranges",
    )
    return Calibration(model, precision, layer_amax(observers), factors, recipe, extent)
