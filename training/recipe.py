"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from trm_edge.config import ModelConfig
from trm_edge.training.deep_supervision import EXPLORATION


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that determines a training run besides its data and its initial weights.

    Args:
        model: the model.
        steps: optimizer steps.
        decay_steps: steps of linear decay of the learning rate at the end.
        warmup_steps: steps of linear warm-up of the learning rate.
        batch: number of puzzles in a batch.
        lr: learning rate.
        weight_decay: weight decay of the network's matrices.
        clip: maximum norm of the gradient.
        ema: decay of the average of the weights.
        exploration: share of puzzles that may not halt before a random step.
        rows_lr: learning rate of puzzle-embedding rows by sign descent, the published optimizer of
            large tables; None: the table is trained like the other weights.
        rows_weight_decay: weight decay of the rows by sign descent.
        window: side of the corner of a square canvas that is trained on; None: the whole canvas.
        canvas_steps: last steps, which see the whole canvas after a window. The more cells, the
            less attention each gets: a model that was trained in a small corner alone answers
            worse on the canvas.
        canvas_batch: puzzles in a batch of those steps.
        canvas_lr: learning rate that those steps begin with; it falls to 0.
        seed: of the random numbers.
    """

    model: ModelConfig
    steps: int = 12_000
    decay_steps: int = 3_000
    warmup_steps: int = 200
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.1
    clip: float = 1.0
    ema: float = 0.999
    exploration: float = EXPLORATION
    rows_lr: float | None = None
    rows_weight_decay: float = 0.1
    window: int | None = None
    canvas_steps: int = 0
    canvas_batch: int = 16
    canvas_lr: float = 3e-4
    seed: int = 0
