"""Deep supervision: how a Tiny Recursive Model is trained, from scratch or with quantization.

A training step is one ACT step of every slot of the batch, with a gradient through the last H
cycle alone; slots that halt take the next puzzle and the others go on from their carry
(arXiv 2510.04871, section 4, and upstream ``models/losses.py``). Shapes in comments: B slots,
L tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.export.model import Carry, StepOutput, TinyRecursiveModel
from trm_edge.tasks.dataset import IGNORED

HALTING_WEIGHT = 0.5  # of the halting loss against that of the answer
EXPLORATION = 0.1  # share of slots that may not halt before a random step


class PuzzleRows(NamedTuple):
    """Puzzles to learn from: ids (n, L), known answers (n, L) and identifiers (n,), integer."""

    tokens: Tensor
    labels: Tensor  # IGNORED where a cell does not count
    identifiers: Tensor


class Supervision(NamedTuple):
    """What one step says about the model."""

    loss: Tensor  # () to be minimised
    answer_loss: Tensor  # ()
    halting_loss: Tensor  # ()
    exact: Tensor  # (B,) bool, every cell that counts is right


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the cells of each puzzle that count: (B, L, V), (B, L) to (B,).

    Stablemax replaces exp(x) by x + 1 above zero and 1 / (1 - x) below (arXiv 2501.04697).
    """
    mass = torch.where(logits < 0, 1 / (1 - logits.clamp(max=0)), logits + 1)
    log_p = torch.log(mass / mass.sum(-1, keepdim=True))
    counts = labels != IGNORED
    missing = -log_p.gather(-1, labels[..., None].long())[..., 0] * counts
    return missing.sum(-1) / counts.sum(-1).clamp(min=1)


def is_exact(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether every cell that counts is right: (B, L, V), (B, L) to (B,) bool."""
    return ((logits.argmax(-1) == labels) | (labels == IGNORED)).all(-1)


def supervise(output: StepOutput, labels: Tensor, lesson: Tensor | None = None) -> Supervision:
    """The loss of a step against the answers (B, L): stablemax, and whether to halt.

    Args:
        lesson: (B, L) what the answer is held to where that is not yet all of it.
    """
    exact = is_exact(output.logits, labels)
    counted = labels if lesson is None else lesson
    answer_loss = stablemax_cross_entropy(output.logits, counted).mean()
    halting_loss = F.binary_cross_entropy_with_logits(output.q_halt, exact.float())
    loss = answer_loss + HALTING_WEIGHT * halting_loss
    return Supervision(loss, answer_loss, halting_loss, exact)


def training_step(
    model: TinyRecursiveModel,
    tokens: Tensor,
    puzzle_embedding: Tensor | None,
    reset: Tensor,
    carry: Carry,
) -> StepOutput:
    """One ACT step, as ``model`` itself does it, with a gradient through the last H cycle alone."""
    x = model.embed(tokens, puzzle_embedding)
    carry = model.reset(carry, reset)
    with torch.no_grad():
        for _ in range(model.config.H_cycles - 1):
            carry = model.cycle(carry, x)
    return model.heads(model.cycle(carry, x))


class Slots:
    """The puzzles of a batch, each at a depth of its own; all begin as halted.

    Args:
        size: how many, B.
    """

    def __init__(self, size: int, config: ModelConfig) -> None:
        self.max_steps = config.halt_max_steps
        self.tokens = torch.zeros(size, config.seq_len, dtype=torch.int32)
        self.labels = torch.zeros(size, config.seq_len, dtype=torch.int32)
        self.identifiers = torch.zeros(size, dtype=torch.int32)
        self.steps = torch.zeros(size, dtype=torch.int32)
        self.halted = torch.ones(size, dtype=torch.bool)

    def refill(self, take: Callable[[int], PuzzleRows]) -> Tensor:
        """Hand the slots that halted to new puzzles; returns which they are, (B,) bool.

        Args:
            take: gives so many puzzles.
        """
        fresh = self.halted.clone()
        places = torch.nonzero(fresh)[:, 0]
        if len(places):
            rows = take(len(places))
            self.tokens[places] = rows.tokens.to(self.tokens.dtype)
            self.labels[places] = rows.labels.to(self.labels.dtype)
            self.identifiers[places] = rows.identifiers.to(self.identifiers.dtype)
        self.steps[fresh] = 0
        return fresh

    def stagger(self, generator: torch.Generator) -> None:
        """Count the slots as if they had begun at different times.

        Slots that all begin together would all be at the same depth until the head learns to halt,
        and it learns badly from batches of one depth.
        """
        shape = self.steps.shape
        self.steps = torch.randint(
            self.max_steps, shape, generator=generator, dtype=self.steps.dtype
        )

    def advance(self, stop: Tensor, generator: torch.Generator, exploration: float) -> None:
        """Count a step and settle who halts.

        Args:
            stop: (B,) bool, what the halting head says.
            exploration: share of slots that may not halt before a random step, so that depths
                which the head would skip are still trained.
        """
        self.steps += 1
        size = len(self.steps)
        least = (torch.rand(size, generator=generator) < exploration) * torch.randint(
            2, max(self.max_steps, 2) + 1, (size,), generator=generator
        )
        self.halted = (self.steps >= self.max_steps) | (stop & (self.steps >= least))
