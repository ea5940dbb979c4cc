"""The inputs of a model's layers as calibration saw them, before anything is decided.

They depend on the model, the puzzles and few settings of a recipe, so several calibrations of one
model can share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.calibration.recipe import CalibrationRecipe
from trm_edge.calibration.statistics import InputStatistics
from trm_edge.calibration.trajectories import linear_layers, run_trajectories
from trm_edge.calibration_record import CalibrationCoverage
from trm_edge.errors import CalibrationError
from trm_edge.export.model import RecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

# Fields of a recipe that decide what is observed.
_FIELDS = ("puzzles", "batch", "carries", "steps", "passes", "seed")


@dataclass(frozen=True)
class InputObservation:
    """Statistics of the inputs of every layer.

    Args:
        statistics: by layer name.
        coverage: counts of what was observed.
        recipe: the settings it was observed with.
    """

    statistics: Mapping[str, InputStatistics]
    coverage: CalibrationCoverage
    recipe: CalibrationRecipe

    def differences(self, recipe: CalibrationRecipe) -> list[str]:
        """List the settings of a recipe that would observe other inputs.

        Args:
            recipe: settings of a calibration.
        """
        return self.recipe.differences(recipe, _FIELDS)

    def require_same_inputs(self, recipe: CalibrationRecipe) -> None:
        """Check that a recipe would observe the same inputs.

        Args:
            recipe: settings of a calibration.

        Raises:
            CalibrationError: names the settings that differ.
        """
        differences = self.differences(recipe)
        if differences:
            raise CalibrationError(
                f"the inputs were observed with other settings: {', '.join(differences)}. "
                "Observe them again."
            )


@torch.no_grad()
def observe_inputs(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    recipe: CalibrationRecipe,
    track: Track = silent,
) -> InputObservation:
    """Run puzzles through a model and observe the inputs of its layers.

    Args:
        model: the float32 model.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        puzzles: the first ``recipe.puzzles`` of them are used.
        recipe: settings of the calibration.
        track: reports progress.

    Raises:
        CalibrationError: there are no puzzles, or an input is not finite.
        ConfigError: the recipe observes only steps or passes that the model does not have, or the
            table does not fit the model.
    """
    selected = list(puzzles)[: recipe.puzzles]
    generator = torch.Generator().manual_seed(recipe.seed)
    statistics = {name: InputStatistics(generator) for name in linear_layers(model)}
    coverage = run_trajectories(model, puzzle_embeddings, selected, statistics, recipe, track=track)
    return InputObservation(statistics, coverage, recipe)
