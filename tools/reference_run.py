"""A training run of a reference model: a curriculum, figures on held-out puzzles, a saved state."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from curriculum import Curriculum, Lesson
from initial_weights import initial_model
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.export.model import StepOutput
from trm_edge.training.deep_supervision import PuzzleRows, is_exact
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.trainer import Stream, Trainer
from trm_edge.training.window import window_model

_EVALUATED = 128  # puzzles at once


class LessonTrainer(Trainer):
    """A training run from random weights that may follow a curriculum.

    Args:
        recipe: all settings.
        data: makes the stream of training batches from a source of random numbers.
        lesson: the lesson of a curriculum, or None to train on the answers from the start.
        depth: maps a training step to the number of ACT (adaptive computation time) steps after
            which a puzzle is replaced; the model's own by default, or the curriculum's.
        compiled: compile the networks, which takes minutes and pays in a long run. GPUs always do.
        canvas_data: batches of the whole canvas, where the recipe has steps of them.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        data: Stream,
        lesson: Lesson | None = None,
        *,
        depth: Callable[[int], int] | None = None,
        compiled: bool = False,
        canvas_data: Stream | None = None,
    ) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = recipe.model
        super().__init__(
            recipe,
            data,
            initial_model(model, recipe.seed),
            torch.zeros(model.num_puzzle_identifiers, model.puzzle_emb_ndim),
            device=device,
            compiled=compiled or device.type == "cuda",
            canvas_data=canvas_data,
        )
        self.log: list[dict[str, float]] = []
        self._depth = depth
        self.curriculum = Curriculum(lesson, model.halt_max_steps) if lesson is not None else None

    def advance(self) -> dict[str, float]:
        """Run one optimizer step at the curriculum's depth, and return its figures."""
        if self.curriculum is not None:
            self.slots.max_steps = self.curriculum.depth
        elif self._depth is not None:
            self.slots.max_steps = self._depth(self.step)
        return super().advance()

    def lesson(self, out: StepOutput) -> tuple[Tensor | None, dict[str, float]]:
        """Choose the labels of the curriculum's stage.

        Args:
            out: of the step.

        Returns:
            Labels (B, L) integer, None without a curriculum; and the share that learned them.
        """
        if self.curriculum is None:
            return None, {}
        slots = self.slots
        tokens = slots.tokens.numpy().astype(np.uint8)
        labels = slots.labels.numpy().astype(np.uint8)
        steps = slots.steps.numpy().astype(np.int64)
        lesson = torch.from_numpy(self.curriculum.labels(tokens, labels, steps)).to(self.device)
        share = is_exact(out.logits, lesson).float().mean().item()
        figures = {"learned": share, "depth": float(self.curriculum.depth)}
        self.curriculum.observe(share)
        return lesson, figures

    def save(self, path: Path) -> None:
        """Write the whole state, whole or not at all.

        Args:
            path: output file.
        """
        state = {**self.content(), "log": self.log}
        if self.curriculum is not None:
            state["curriculum"] = self.curriculum.state()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Continue where :meth:`save` was called.

        Args:
            path: file that :meth:`save` wrote, of a run with the same recipe.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.restore(state)
        self.log = state["log"]
        if self.curriculum is not None:
            self.curriculum.restore(state["curriculum"])


class HeldOutFigures(NamedTuple):
    """Shares of held-out puzzles that are solved.

    Args:
        exact_first: after the first step.
        exact_fixed: after the last step.
        exact_adaptive: where the halting head stops.
        steps: mean number of steps until it stops.
    """

    exact_first: float
    exact_fixed: float
    exact_adaptive: float
    steps: float


@torch.no_grad()
def answers_by_step(trainer: Trainer, puzzles: PuzzleRows) -> tuple[NDArray[np.bool_], Tensor]:
    """Run the averaged model over puzzles for all steps.

    Args:
        trainer: the run.
        puzzles: (n, L) as it is trained on.

    Returns:
        Whether each answer is right (steps, n), and whether the head would stop (steps, n) bool.
    """
    averaged, table = trainer.averaged()
    recipe = trainer.recipe
    model = window_model(recipe.model, recipe.window)
    model.load_state_dict(averaged.state_dict())
    model.to(trainer.device, trainer.dtype)
    if model.rope is not None:
        cos, sin = model.rope
        model.rope = (cos.to(trainer.device), sin.to(trainer.device))
    config = model.config
    right_parts = []  # (steps, B) for each batch
    stop_parts = []
    for start in range(0, len(puzzles.tokens), _EVALUATED):
        rows = slice(start, start + _EVALUATED)
        tokens = puzzles.tokens[rows].to(trainer.device)
        labels = puzzles.labels[rows].to(trainer.device)
        embedding = None
        if config.puzzle_emb_ndim:
            embedding = table[puzzles.identifiers[rows].long()].to(trainer.device, trainer.dtype)
        x = model.embed(tokens.int(), embedding)
        carry = model.initial_carry(len(tokens))
        right_steps = []
        stop_steps = []
        for _ in range(config.halt_max_steps):
            carry = model.advance(carry, x, model.updates)
            out = model.heads(carry)
            right_steps.append(is_exact(out.logits, labels))
            threshold = 0.0 if config.no_ACT_continue else out.q_continue
            stop_steps.append(out.q_halt > threshold)
        right_parts.append(torch.stack(right_steps))
        stop_parts.append(torch.stack(stop_steps))
    return torch.cat(right_parts, 1).cpu().numpy(), torch.cat(stop_parts, 1).cpu()


def evaluate(trainer: Trainer, puzzles: PuzzleRows) -> HeldOutFigures:
    """Measure exact match of the averaged model: first step, last step, adaptive halting.

    Args:
        trainer: the run.
        puzzles: (n, L) as it is trained on.
    """
    answers, stop = answers_by_step(trainer, puzzles)
    right = torch.from_numpy(answers)
    stop[-1] = True
    step = stop.float().argmax(0)
    return HeldOutFigures(
        exact_first=right[0].float().mean().item(),
        exact_fixed=right[-1].float().mean().item(),
        exact_adaptive=right.gather(0, step[None]).float().mean().item(),
        steps=step.float().mean().item() + 1,
    )


def run(
    trainer: LessonTrainer,
    folder: Path,
    held_out: PuzzleRows,
    report: Callable[[int, dict[str, float]], None],
    *,
    minutes: float | None = None,
    evaluate_every: int = 500,
    save_seconds: float = 120.0,
) -> None:
    """Train to the recipe's last step, evaluating and saving on the way.

    Args:
        trainer: the run.
        folder: for its state.
        held_out: puzzles to evaluate on.
        report: called with the step and its figures after every step and evaluation.
        minutes: stop earlier, after this time.
        evaluate_every: training steps between evaluations.
        save_seconds: time between saves.
    """
    state = folder / "state.pt"
    start = time.monotonic()
    last_save = start
    while trainer.step < trainer.recipe.steps:
        report(trainer.step, trainer.advance())
        current = time.monotonic()
        if trainer.step % evaluate_every == 0 or trainer.step == trainer.recipe.steps:
            figures = evaluate(trainer, held_out)._asdict()
            trainer.log.append({"step": trainer.step, **figures})
            report(trainer.step, trainer.log[-1])
        if current - last_save > save_seconds:
            trainer.save(state)
            last_save = current
        if minutes is not None and current - start > minutes * 60:
            break
    trainer.save(state)
