"""Train a Tiny Recursive Model by deep supervision, as the published trainer does.

Weights are stored in float32 and computed with in bfloat16; a training step is in
``trm_edge.calibration.qat.deep_supervision``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from curriculum import Curriculum, Lesson
from numpy.typing import NDArray
from torch import Tensor, nn
from training_recipe import PlainAttention, TrainingRecipe, initialise

from trm_edge.calibration.qat.deep_supervision import (
    HALTING_WEIGHT,
    PuzzleRows,
    Slots,
    continue_target,
    is_exact,
    supervise,
    training_step,
)
from trm_edge.export.model import Attention, RecursiveModel, StepOutput
from trm_edge.loop.halting import HaltingRule

Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # tokens, labels: (n, L), 0 is padding


class Trainer:
    """A training run that can be resumed from what :meth:`save` wrote, bit for bit.

    Args:
        recipe: all settings.
        data: makes the stream of training batches from a source of random numbers.
        lesson: the lesson of a curriculum, or None to train on the answers from the start.
        compiled: compile the networks, which takes minutes and pays in a long run. GPUs always do.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        data: Callable[[np.random.Generator], Iterator[Batch]],
        lesson: Lesson | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        self.recipe = recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generator = torch.Generator().manual_seed(recipe.seed)
        config = recipe.model
        self.master = RecursiveModel(config)
        initialise(self.master, generator)
        self.puzzle_embedding = nn.Parameter(
            torch.zeros(config.num_puzzle_identifiers, config.puzzle_emb_ndim)
        )
        self.master.to(self.device)
        self.worker = RecursiveModel(config).to(self.device, torch.bfloat16)
        if compiled or self.device.type == "cuda":
            for network in self.worker.networks.values():
                network.compile()
        if self.device.type == "cuda":
            if self.worker.rope is not None:
                cos, sin = self.worker.rope
                self.worker.rope = (cos.to(self.device), sin.to(self.device))
        else:
            for module in self.worker.modules():
                if isinstance(module, Attention):
                    module.__class__ = PlainAttention
        self.worker_embedding = nn.Parameter(
            self.puzzle_embedding.detach().to(self.device, torch.bfloat16)
        )
        self.puzzle_embedding = nn.Parameter(self.puzzle_embedding.detach().to(self.device))
        self.pairs = [
            *zip(self.master.parameters(), self.worker.parameters(), strict=True),
            (self.puzzle_embedding, self.worker_embedding),
        ]
        self.average = [p.detach().clone() for p, _ in self.pairs]
        self.optimizer = self._optimizer()
        self.step = 0
        self.rng = np.random.default_rng(recipe.seed)
        self.explore = torch.Generator().manual_seed(recipe.seed)
        self.batches = data(self.rng)
        self.waiting: Batch | None = None
        self.slots = Slots(recipe.batch, config)
        self._rule = HaltingRule.from_config(config)
        self.curriculum = Curriculum(lesson, config.halt_max_steps) if lesson is not None else None
        self._sync_worker()
        initial = self.worker.initial_carry(recipe.batch)
        self.carry = {name: state.clone() for name, state in initial.items()}
        self.log: list[dict[str, float]] = []

    def _optimizer(self) -> torch.optim.Optimizer:
        matrices: list[nn.Parameter] = []
        for network in self.master.networks.values():
            matrices += network.parameters()
        decayed = {id(parameter) for parameter in matrices}
        others = [master for master, _ in self.pairs if id(master) not in decayed]
        groups = [
            {"params": matrices, "weight_decay": self.recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.recipe.lr, betas=(0.9, 0.95))

    @torch.no_grad()
    def _sync_worker(self) -> None:
        for master, worker in self.pairs:
            worker.copy_(master)
        for worker_state, master_state in zip(
            self.worker.buffers(), self.master.buffers(), strict=True
        ):
            worker_state.copy_(master_state)

    def _rate(self) -> float:
        """Factor of the learning rate: linear warm-up and linear decay."""
        recipe = self.recipe
        warmup = (self.step + 1) / recipe.warmup_steps
        decay = max(recipe.steps - self.step, 1) / recipe.decay_steps
        return min(1.0, warmup, decay)

    def _take(self, count: int) -> PuzzleRows:
        """Return the next puzzles of the stream."""
        token_parts = []
        label_parts = []
        while count:
            if self.waiting is None or not len(self.waiting[0]):
                self.waiting = next(self.batches)
            tokens, labels = self.waiting
            token_parts.append(tokens[:count])
            label_parts.append(labels[:count])
            self.waiting = (tokens[count:], labels[count:])
            count -= len(token_parts[-1])
        all_tokens = torch.from_numpy(np.concatenate(token_parts))
        all_labels = torch.from_numpy(np.concatenate(label_parts))
        identifiers = torch.zeros(len(all_tokens), dtype=torch.int32)
        return PuzzleRows(all_tokens, all_labels, identifiers)

    def advance(self) -> dict[str, float]:
        """Run one optimizer step.

        Returns:
            Its losses and training accuracies.
        """
        recipe = self.recipe
        device = self.device
        slots = self.slots
        if self.curriculum is not None:
            slots.max_steps = self.curriculum.depth
        reset = slots.refill(self._take)
        if self.step == 0:
            slots.stagger(self.explore)
        embedding = None
        if recipe.model.puzzle_emb_ndim:
            embedding = self.worker_embedding[slots.identifiers.to(device)]
        out = training_step(
            self.worker, slots.tokens.to(device), embedding, reset.to(device), self.carry
        )
        lesson = None
        learned = {}
        if self.curriculum is not None:
            lesson = self._lesson(self.curriculum).to(device)
            share = is_exact(out.logits, lesson).float().mean().item()
            learned = {"learned": share, "depth": float(self.curriculum.depth)}
            self.curriculum.observe(share)
        result = supervise(out, slots.labels.to(device), lesson)
        loss = result.loss
        if not recipe.model.no_ACT_continue:
            loss = loss + self._continue_loss(out, embedding)
        loss.backward()  # type: ignore[no-untyped-call]
        self._update()
        self.carry = {name: state.detach() for name, state in out.carry.items()}
        stop = self._rule.wants_to_stop(
            out.q_halt.detach().float().cpu().numpy(),
            out.q_continue.detach().float().cpu().numpy(),
        )
        slots.advance(torch.from_numpy(stop), self.explore, recipe.exploration)
        self.step += 1
        return {
            "loss": result.answer_loss.item(),
            "halting_loss": result.halting_loss.item(),
            "exact": result.exact.float().mean().item(),
            **learned,
        }

    def _continue_loss(self, out: StepOutput, embedding: Tensor | None) -> Tensor:
        """Loss of q_continue, which only a rule that compares both logits trains."""
        slots = self.slots
        last = (slots.steps + 1 >= slots.max_steps).to(self.device)
        carry = {name: state.detach() for name, state in out.carry.items()}
        target = continue_target(self.worker, slots.tokens.to(self.device), embedding, carry, last)
        return HALTING_WEIGHT * F.binary_cross_entropy_with_logits(out.q_continue, target)

    def _lesson(self, curriculum: Curriculum) -> Tensor:
        slots = self.slots
        tokens = slots.tokens.numpy().astype(np.uint8)
        labels = slots.labels.numpy().astype(np.uint8)
        steps = slots.steps.numpy().astype(np.int64)
        return torch.from_numpy(curriculum.labels(tokens, labels, steps))

    @torch.no_grad()
    def _update(self) -> None:
        for master, worker in self.pairs:
            master.grad = worker.grad.float() if worker.grad is not None else None
            worker.grad = None
        nn.utils.clip_grad_norm_([master for master, _ in self.pairs], self.recipe.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * self._rate()
        self.optimizer.step()
        # The average follows quickly at first, so that early checkpoints are meaningful.
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for average, (master, _) in zip(self.average, self.pairs, strict=True):
            average.lerp_(master, 1 - decay)
        self._sync_worker()

    def averaged(self) -> tuple[RecursiveModel, Tensor]:
        """Return the averaged model in float32, and its puzzle-embedding table (N, E)."""
        model = RecursiveModel(self.recipe.model).to(self.device)
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), self.average, strict=False):
                parameter.copy_(value)
            for state, worker_state in zip(model.buffers(), self.worker.buffers(), strict=True):
                state.copy_(worker_state.float())
        return model, self.average[-1].clone()

    @torch.no_grad()
    def evaluate(self, tokens: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, float]:
        """Measure exact match of the averaged model: first step, last step, adaptive halting.

        Args:
            tokens: (n, L) uint8.
            labels: (n, L) uint8.

        Returns:
            Shares of solved puzzles, and the mean number of steps.
        """
        model, table = self.averaged()
        model.to(torch.bfloat16)
        config = self.recipe.model
        if model.rope is not None:
            cos, sin = model.rope
            model.rope = (cos.to(self.device), sin.to(self.device))
        right_parts = []  # (steps, B) for each batch
        stop_parts = []
        for start in range(0, len(tokens), 128):
            ids = torch.from_numpy(tokens[start : start + 128].astype(np.int32)).to(self.device)
            truth = torch.from_numpy(labels[start : start + 128].astype(np.int64)).to(self.device)
            embedding = None
            if config.puzzle_emb_ndim:
                embedding = table[:1].expand(len(ids), -1).bfloat16()
            x = model.embed(ids, embedding)
            carry = model.initial_carry(len(ids))
            right_steps = []
            stop_steps = []
            for _ in range(config.halt_max_steps):
                carry = model.advance(carry, x, model.updates)
                out = model.heads(carry)
                right_steps.append((out.logits.argmax(-1) == truth).all(-1))
                stop_steps.append(out.q_halt > self._threshold(out))
            right_parts.append(torch.stack(right_steps))
            stop_parts.append(torch.stack(stop_steps))
        right = torch.cat(right_parts, 1).cpu()
        stop = torch.cat(stop_parts, 1).cpu()
        stop[-1] = True
        step = stop.float().argmax(0)
        return {
            "exact_first": right[0].float().mean().item(),
            "exact_fixed": right[-1].float().mean().item(),
            "exact_adaptive": right.gather(0, step[None]).float().mean().item(),
            "steps": step.float().mean().item() + 1,
        }

    def _threshold(self, out: StepOutput) -> Tensor:
        """What q_halt must exceed (B,): 0, or q_continue by the rule of HRM."""
        if self.recipe.model.no_ACT_continue:
            return torch.zeros_like(out.q_halt)
        return out.q_continue

    def save(self, path: Path) -> None:
        """Write the whole state, whole or not at all.

        Args:
            path: output file.
        """
        slots = self.slots
        state: dict[str, Any] = {
            "step": self.step,
            "master": [master.detach() for master, _ in self.pairs],
            "average": self.average,
            "initial": list(self.master.buffers()),
            "optimizer": self.optimizer.state_dict(),
            "slots": [slots.tokens, slots.labels, slots.steps, slots.halted],
            "carry": list(self.carry.values()),
            "explore": self.explore.get_state(),
            "rng": _plain(self.rng.bit_generator.state),
            "log": self.log,
        }
        if self.curriculum is not None:
            state["curriculum"] = self.curriculum.state()
        if self.waiting is not None:
            state["waiting"] = [torch.from_numpy(part.copy()) for part in self.waiting]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Continue where :meth:`save` was called.

        Args:
            path: file that :meth:`save` wrote, of a run with the same recipe.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step = state["step"]
        for (master, _), value in zip(self.pairs, state["master"], strict=True):
            master.copy_(value)
        self.average = list(state["average"])
        for initial, value in zip(self.master.buffers(), state["initial"], strict=True):
            initial.copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        slots = self.slots
        slots.tokens, slots.labels, slots.steps, slots.halted = (t.cpu() for t in state["slots"])
        self.carry = dict(zip(self.carry, state["carry"], strict=True))
        self.explore.set_state(state["explore"].cpu())
        self.rng.bit_generator.state = _from_plain(state["rng"])
        if "waiting" in state:
            tokens, labels = (t.cpu().numpy() for t in state["waiting"])
            self.waiting = (tokens, labels)
        if self.curriculum is not None:
            self.curriculum.restore(state["curriculum"])
        self.log = state["log"]
        self._sync_worker()


def _plain(state: Any) -> Any:
    """Convert 128-bit integers of a NumPy generator's state to text, for weights-only loading."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    if isinstance(state, int) and state.bit_length() > 62:
        return str(state)
    return state


def _from_plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _from_plain(value) for key, value in state.items()}
    if isinstance(state, str) and state.isdigit():
        return int(state)
    return state


def run(
    trainer: Trainer,
    folder: Path,
    held_out: Batch,
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
        held_out: tokens and labels (n, L) to evaluate on.
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
            trainer.log.append({"step": trainer.step, **trainer.evaluate(*held_out)})
            report(trainer.step, trainer.log[-1])
        if current - last_save > save_seconds:
            trainer.save(state)
            last_save = current
        if minutes is not None and current - start > minutes * 60:
            break
    trainer.save(state)
