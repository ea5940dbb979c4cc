"""The settings of an adaptation, and when it is done."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.errors import ConfigError


@dataclass(frozen=True)
class AdaptRecipe:
    """The settings of an adaptation.

    Args:
        augmentations: variants of each task beside the original.
        batch: slots of a batch.
        lr: learning rate of the network.
        rows_lr: learning rate of the puzzle-embedding rows, by sign descent.
        weight_decay: weight decay of the network's matrices and of the rows.
        rows_first: share of the run in which the rows are trained alone.
        ema: decay of the average of the weights.
        canvas: share of the run at its end that sees all 900 cells where the tasks' grids are
            smaller, with a quarter of the slots: a model that was trained in a small corner alone
            answers worse on the canvas.
        whole_canvas: train on all 900 cells from the start.
        seed: of the augmentations and of the order of the data.
    """

    augmentations: int = 256
    batch: int = 64
    lr: float = 1e-4
    rows_lr: float = 1e-2
    weight_decay: float = 0.1
    rows_first: float = 0.25
    ema: float = 0.999
    canvas: float = 0.2
    whole_canvas: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Limit:
    """When an adaptation is done: after a number of steps, or after a time.

    Args:
        steps: optimizer steps; None: the time decides.
        seconds: of training, earlier calls included; None: the steps decide.

    Raises:
        ConfigError: neither is there, or both.
    """

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise ConfigError("pass the number of steps or the time of an adaptation, not both.")

    def done(self, steps: int, seconds: float) -> float:
        """Return the share of the run that is done, 0 to 1.

        Args:
            steps: that were run.
            seconds: that it took.
        """
        if self.steps is not None:
            return min(1.0, steps / self.steps)
        if self.seconds is not None:
            return min(1.0, seconds / self.seconds)
        raise ValueError("a limit has steps or seconds")
