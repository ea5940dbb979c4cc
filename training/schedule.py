"""How the learning rates of a training run change, and when the rows are trained alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trm_edge.training.recipe import TrainingRecipe


class Schedule(Protocol):
    """Says what a training step is like."""

    def rate(self, step: int) -> float:
        """Return the factor of the learning rates, 0 to 1.

        Args:
            step: number of the optimizer step, from 0.
        """
        ...

    def rows_alone(self, step: int) -> bool:
        """Tell whether a step trains the puzzle-embedding rows only.

        Args:
            step: number of the optimizer step, from 0.
        """
        ...

    def whole_canvas(self, step: int) -> bool:
        """Tell whether a step sees the whole canvas after steps in a window.

        Args:
            step: number of the optimizer step, from 0.
        """
        ...


class RecipeSchedule:
    """Linear warm-up, and linear decay at the end; everything is trained from the start.

    Args:
        recipe: of the run.
    """

    def __init__(self, recipe: TrainingRecipe) -> None:
        self._recipe = recipe

    def rate(self, step: int) -> float:
        """Return the factor of the learning rates, 0 to 1.

        Args:
            step: number of the optimizer step, from 0.
        """
        recipe = self._recipe
        if self.whole_canvas(step):
            return recipe.canvas_lr / recipe.lr * (recipe.steps - step) / recipe.canvas_steps
        warmup = (step + 1) / recipe.warmup_steps
        left = recipe.steps - recipe.canvas_steps - step
        return min(1.0, warmup, max(left, 1) / recipe.decay_steps)

    def whole_canvas(self, step: int) -> bool:
        """Tell whether a step sees the whole canvas after steps in a window.

        Args:
            step: number of the optimizer step, from 0.
        """
        recipe = self._recipe
        return recipe.steps - recipe.canvas_steps <= step < recipe.steps

    def rows_alone(self, step: int) -> bool:
        """Return False.

        Args:
            step: number of the optimizer step, from 0.
        """
        return False


@dataclass
class ShareSchedule:
    """A schedule by the share of the run that is done, of its steps or of its time.

    Args:
        rows_first: share of the run at its beginning in which the rows are trained alone.
        warmup: share of the run over which the rates rise, for the rows and then for the rest.
        decay: share of the run over which the rates fall, at the end of what sees a window.
        canvas: share of the run at its end that sees the whole canvas after a window. Its rates
            begin lower and fall, too: its batches are small, and it has no time to wander.
        done: share of the run that is done, 0 to 1; whoever drives the run keeps it true.
    """

    rows_first: float = 0.25
    warmup: float = 0.02
    decay: float = 0.2
    canvas: float = 0.0
    done: float = 0.0

    def rate(self, step: int) -> float:
        """Return the factor of the learning rates, 0 to 1.

        Args:
            step: ignored.
        """
        if self.whole_canvas(step):
            return max(_CANVAS_RATE * (1 - self.done) / self.canvas, _SMALLEST)
        began = self.rows_first if self.done >= self.rows_first else 0.0
        warmup = (self.done - began) / self.warmup
        decay = (1 - self.canvas - self.done) / self.decay
        return min(1.0, max(warmup, _SMALLEST), max(decay, _SMALLEST))

    def rows_alone(self, step: int) -> bool:
        """Tell whether a step trains the puzzle-embedding rows only.

        Args:
            step: ignored.
        """
        return self.done < self.rows_first

    def whole_canvas(self, step: int) -> bool:
        """Tell whether a step sees the whole canvas after steps in a window.

        Args:
            step: ignored.
        """
        return self.canvas > 0 and self.done >= 1 - self.canvas


_CANVAS_RATE = 0.3  # of the rates, at the first step on the whole canvas
_SMALLEST = 0.01  # of the rate, so that no step is without effect
