"""How a model is fine-tuned: a frozen recipe."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from trm_edge.calibration.qat.deep_supervision import EXPLORATION
from trm_edge.errors import ConfigError


@dataclass(frozen=True)
class FinetuneRecipe:
    """How a model is fine-tuned.

    Raises:
        ConfigError: a value is out of range.
    """

    steps: int  # optimizer steps, each one ACT step of the batch
    batch: int = 32  # slots
    # Change of a weight in a step, as a share of its row's root mean square. Relative, since
    # equalising leaves rows hundreds of times smaller than others.
    lr: float = 1e-3
    warmup: int = 10  # steps until the rate is reached; from there it falls linearly to zero
    weight_decay: float = 0.0  # of the network's matrices
    clip: float = 1.0  # largest norm of the gradient
    exploration: float = EXPLORATION  # share of slots that may not halt before a random step
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, but got {getattr(self, name)}.")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be positive, but got {value}.")
        for name in ("warmup", "weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be 0 or more, but got {getattr(self, name)}.")
        if not 0 <= self.exploration <= 1:
            raise ConfigError(f"exploration must lie in 0..1, but got {self.exploration}.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        rising = (step + 1) / (self.warmup + 1)
        falling = (self.steps - step) / max(self.steps - self.warmup, 1)
        return self.lr * min(rising, falling, 1.0)
