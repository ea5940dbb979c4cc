"""The fine-tuning recipe: every setting of a fine-tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trm_edge.errors import ConfigError
from trm_edge.training.deep_supervision import EXPLORATION


@dataclass(frozen=True)
class FinetuneRecipe:
    """Settings of a fine-tuning.

    Args:
        steps: optimizer steps, each of them one ACT (adaptive computation time) step of the batch.
        batch: number of slots.
        lr: learning rate: change of a weight in a step, as a share of its row's root mean square.
            Relative, since equalisation leaves some rows hundreds of times smaller than others.
        warmup: steps until the learning rate is reached; from there it falls linearly to zero.
        weight_decay: of the network's matrices.
        clip: largest norm of the gradient.
        exploration: share of slots that may not halt before a random step, within 0..1.
        seed: seed of the order of the puzzles and of exploration.

    Raises:
        ConfigError: a value is out of range.
    """

    steps: int
    batch: int = 32
    lr: float = 1e-3
    warmup: int = 10
    weight_decay: float = 0.0
    clip: float = 1.0
    exploration: float = EXPLORATION
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be 1 or more, but got {value}.")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be positive, but got {value}.")
        for name in ("warmup", "weight_decay", "seed"):
            value = getattr(self, name)
            if not value >= 0:
                raise ConfigError(f"{name} must be 0 or more, but got {value}.")
        if not 0 <= self.exploration <= 1:
            raise ConfigError(f"exploration must lie in 0..1, but got {self.exploration}.")

    def rate(self, step: int) -> float:
        """The learning rate of a step.

        Args:
            step: from 0.
        """
        rising = (step + 1) / (self.warmup + 1)
        falling = (self.steps - step) / max(self.steps - self.warmup, 1)
        return self.lr * min(rising, falling, 1.0)
