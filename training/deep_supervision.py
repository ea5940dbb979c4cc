"""Deep supervision: training of a Tiny Recursive Model, from scratch or with quantization.

A training step is one ACT (adaptive computation time) step of every slot of the batch, with a
gradient through its last updates alone; slots that halt take the next puzzle and the others
continue from their carry (arXiv 2510.04871, section 4, and upstream ``models/losses.py``). Shapes:
B slots, L tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from trm_edge.config import ModelConfig
from trm_edge.export.model import Carry, RecursiveModel, StepOutput
from trm_edge.tasks.dataset import IGNORED

HALTING_WEIGHT = 0.5  # of the halting loss, relative to the answer's
EXPLORATION = 0.1  # share of slots that may not halt before a random step


class PuzzleRows(NamedTuple):
    """Puzzles to learn from.

    Args:
        tokens: (n, L) integer token ids.
        labels: (n, L) integer answers; IGNORED in cells that do not count.
        identifiers: (n,) integer rows of the puzzle-embedding table.
    """

    tokens: Tensor
    labels: Tensor
    identifiers: Tensor


class Supervision(NamedTuple):
    """Losses of one step.

    Args:
        loss: () to be minimised.
        answer_loss: () its part for the answer.
        halting_loss: () its part for halting, not weighted.
        exact: (B,) bool, True where every cell that counts is right.
    """

    loss: Tensor
    answer_loss: Tensor
    halting_loss: Tensor
    exact: Tensor


def stablemax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of stablemax, mean over the cells of each puzzle that count.

    Stablemax replaces exp(x) by x + 1 above zero and 1 / (1 - x) below (arXiv 2501.04697).

    Args:
        logits: (B, L, V) float.
        labels: (B, L) integer; IGNORED in cells that do not count.

    Returns:
        (B,), 0 for a puzzle in which no cell counts.
    """
    mass = torch.where(logits < 0, 1 / (1 - logits.clamp(max=0)), logits + 1)
    log_p = torch.log(mass / mass.sum(-1, keepdim=True))
    counts = labels != IGNORED
    missing = -log_p.gather(-1, labels[..., None].long())[..., 0] * counts
    return missing.sum(-1) / counts.sum(-1).clamp(min=1)


def is_exact(logits: Tensor, labels: Tensor) -> Tensor:
    """Compare whole answers.

    Args:
        logits: (B, L, V) float.
        labels: (B, L) integer; IGNORED in cells that do not count.

    Returns:
        (B,) bool, True where every cell that counts is right.
    """
    return ((logits.argmax(-1) == labels) | (labels == IGNORED)).all(-1)


def supervise(
    output: StepOutput, labels: Tensor, training_labels: Tensor | None = None
) -> Supervision:
    """Compute the losses of a step: stablemax of the answer, and halting where it is right.

    Args:
        output: of the step.
        labels: (B, L) integer answers.
        training_labels: (B, L) integer labels of the answer's loss, where a curriculum does not
            train the whole answer yet; ``labels`` by default.
    """
    exact = is_exact(output.logits, labels)
    if training_labels is None:
        training_labels = labels
    answer_loss = stablemax_cross_entropy(output.logits, training_labels).mean()
    halting_loss = F.binary_cross_entropy_with_logits(output.q_halt, exact.float())
    loss = answer_loss + HALTING_WEIGHT * halting_loss
    return Supervision(loss, answer_loss, halting_loss, exact)


def training_step(
    model: RecursiveModel,
    tokens: Tensor,
    puzzle_embedding: Tensor | None,
    reset: Tensor,
    carry: Carry,
) -> StepOutput:
    """Run one ACT step as the model itself does, with a gradient through its last updates alone.

    These are the last H cycle of a Tiny Recursive Model, and the last update of each state of HRM.

    Args:
        model: the model.
        tokens: (B, L) integer token ids.
        puzzle_embedding: (B, E) float32; None where the model has no table.
        reset: (B,) bool, True for slots with a new puzzle.
        carry: of the step before.
    """
    x = model.embed(tokens, puzzle_embedding)
    carry = model.reset(carry, reset)
    trained = model.recursion.trained_updates(model.config)
    with torch.no_grad():
        carry = model.advance(carry, x, model.updates[:-trained])
    return model.heads(model.advance(carry, x, model.updates[-trained:]))


@torch.no_grad()
def continue_target(
    model: RecursiveModel,
    tokens: Tensor,
    puzzle_embedding: Tensor | None,
    carry: Carry,
    last: Tensor,
) -> Tensor:
    """Compute what q_continue should be: the larger halting probability after one more step.

    HRM trains both logits of its halting head, as a Q function (arXiv 2506.21734; upstream
    ``models/hrm/hrm_act_v1.py``).

    Args:
        model: the model.
        tokens: (B, L) integer token ids.
        puzzle_embedding: (B, E); None where the model has no table.
        carry: after the step whose q_continue is trained.
        last: (B,) bool, True for slots that have no further step but the next: there only halting
            is left.

    Returns:
        (B,) probabilities.
    """
    reset = torch.zeros_like(last)
    following = model(tokens, puzzle_embedding, reset, carry)
    best = torch.where(
        last, following.q_halt, torch.maximum(following.q_halt, following.q_continue)
    )
    return best.sigmoid()


class Slots:
    """The puzzles of a batch, each at its own depth; all begin as halted.

    Args:
        size: number of slots, B.
        config: of the model.
    """

    def __init__(self, size: int, config: ModelConfig) -> None:
        self.max_steps = config.halt_max_steps
        self.tokens = torch.zeros(size, config.seq_len, dtype=torch.int32)
        self.labels = torch.zeros(size, config.seq_len, dtype=torch.int32)
        self.identifiers = torch.zeros(size, dtype=torch.int32)
        self.steps = torch.zeros(size, dtype=torch.int32)
        self.halted = torch.ones(size, dtype=torch.bool)

    def refill(self, take: Callable[[int], PuzzleRows]) -> Tensor:
        """Put new puzzles into the halted slots.

        Args:
            take: returns as many puzzles as its argument.

        Returns:
            (B,) bool, True for refilled slots.
        """
        refilled = self.halted.clone()
        indices = torch.nonzero(refilled)[:, 0]
        if len(indices):
            puzzles = take(len(indices))
            self.tokens[indices] = puzzles.tokens.to(self.tokens.dtype)
            self.labels[indices] = puzzles.labels.to(self.labels.dtype)
            self.identifiers[indices] = puzzles.identifiers.to(self.identifiers.dtype)
        self.steps[refilled] = 0
        return refilled

    def stagger(self, generator: torch.Generator) -> None:
        """Set the slots to random depths, as if they had begun at different times.

        Slots that begin together stay at the same depth until the head learns to halt, and it
        learns badly from batches of one depth.

        Args:
            generator: draws the depths.
        """
        shape = self.steps.shape
        self.steps = torch.randint(
            self.max_steps, shape, generator=generator, dtype=self.steps.dtype
        )

    def advance(self, stop: Tensor, generator: torch.Generator, exploration: float) -> None:
        """Count a step and decide which slots halt.

        Args:
            stop: (B,) bool, decision of the halting head.
            generator: draws the exploring slots.
            exploration: share of slots that may not halt before a random step, so that depths
                which the head would skip are still trained.
        """
        self.steps += 1
        size = len(self.steps)
        exploring = torch.rand(size, generator=generator) < exploration
        random_steps = torch.randint(2, max(self.max_steps, 2) + 1, (size,), generator=generator)
        min_steps = exploring * random_steps
        self.halted = (self.steps >= self.max_steps) | (stop & (self.steps >= min_steps))
