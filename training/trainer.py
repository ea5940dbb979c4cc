"""A training run by deep supervision, as the published trainer does it.

Weights are stored in float32 and computed with in bfloat16 where the device is fast at it; a step
is in ``deep_supervision.py``. Shapes: B slots, L tokens, N rows of the table, E their width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.errors import TrainingError
from trm_edge.export.model import RecursiveModel, StepOutput
from trm_edge.loop.halting import HaltingRule
from trm_edge.training.deep_supervision import (
    HALTING_WEIGHT,
    PuzzleRows,
    Slots,
    continue_target,
    supervise,
    training_step,
)
from trm_edge.training.plain_attention import use_plain_attention
from trm_edge.training.random_state import as_plain, from_plain
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.schedule import RecipeSchedule, Schedule
from trm_edge.training.sign_descent import sign_descent
from trm_edge.training.window import window_model, windowed

# Tokens and labels (n, L) integer, IGNORED in cells that do not count; rows of the table (n,).
Batch = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
Stream = Callable[[np.random.Generator], Iterator[Batch]]


class Trainer:
    """A training run; :meth:`content` continues it bit for bit.

    Args:
        recipe: all settings.
        data: makes the endless stream of training batches from a source of random numbers, which
            is its only state; a batch may have any number of puzzles.
        canvas_data: the same on the whole canvas, where the schedule has such steps.
        start: weights to begin with, float32; they are copied.
        table: (N, E) float32 puzzle-embedding rows to begin with; they are copied. (N, 0) where
            the model has none.
        device: that computes.
        dtype: that it computes in.
        compiled: compile the networks, which takes minutes and pays in a long run.
        schedule: of the learning rates; by default the recipe's.

    Raises:
        ConfigError: the recipe's window does not suit the model.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        data: Stream,
        start: RecursiveModel,
        table: Tensor,
        *,
        device: torch.device,
        dtype: torch.dtype = torch.bfloat16,
        compiled: bool = False,
        schedule: Schedule | None = None,
        canvas_data: Stream | None = None,
    ) -> None:
        self.recipe = recipe
        self._compiled = compiled
        self._canvas_data = canvas_data
        self._is_wide = recipe.window is None
        self._schedule = schedule or RecipeSchedule(recipe)
        self.device = device
        self.dtype = dtype
        self.master = RecursiveModel(recipe.model)
        self.master.load_state_dict(start.state_dict())
        self.master.to(device)
        self.worker = self._make_worker(recipe.window)
        self.table = nn.Parameter(table.detach().clone().to(device), recipe.rows_lr is None)
        self._worker_table = nn.Parameter(self.table.detach().to(dtype), recipe.rows_lr is None)
        self.pairs = list(zip(self.master.parameters(), self.worker.parameters(), strict=True))
        if recipe.rows_lr is None:
            self.pairs.append((self.table, self._worker_table))
        self.average = [master.detach().clone() for master, _ in self.pairs]
        self._optimizer = self._make_optimizer()
        self.step = 0
        self._updates = 0  # of the network
        self._random = np.random.default_rng(recipe.seed)
        self._explore = torch.Generator().manual_seed(recipe.seed)
        self._begin(data, recipe.window, recipe.batch)

    def _begin(self, data: Stream, window: int | None, batch: int) -> None:
        """Fill the slots of the worker from the beginning of a stream."""
        self.config = windowed(self.recipe.model, window)
        self._batches = data(self._random)
        self._waiting: Batch | None = None
        self.slots = Slots(batch, self.config)
        self._are_level = True  # all slots are at the same depth
        self._rule = HaltingRule.from_config(self.config)
        self._sync_worker()
        initial = self.worker.initial_carry(batch)
        self._carry = {name: state.clone() for name, state in initial.items()}

    def _widen(self) -> None:
        """See the whole canvas from now on; the average follows quickly at first."""
        if self._canvas_data is None:
            raise ValueError("steps on the whole canvas need data for it")
        self._is_wide = True
        self.worker = self._make_worker(None)
        self._worker_table = nn.Parameter(self._worker_table.detach(), self.recipe.rows_lr is None)
        masters = [master for master, _ in self.pairs]
        workers = list(self.worker.parameters())
        if self.recipe.rows_lr is None:
            workers.append(self._worker_table)
        self.pairs = list(zip(masters, workers, strict=True))
        self._updates = 0
        self._begin(self._canvas_data, None, self.recipe.canvas_batch)

    def _make_worker(self, window: int | None) -> RecursiveModel:
        worker = window_model(self.recipe.model, window).to(self.device, self.dtype)
        if worker.rope is not None:
            cos, sin = worker.rope
            worker.rope = (cos.to(self.device), sin.to(self.device))
        if self.device.type == "cpu":
            use_plain_attention(worker)
        if self._compiled:
            for network in worker.networks.values():
                network.compile()
        return worker

    def _make_optimizer(self) -> torch.optim.Optimizer:
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

    def _take(self, count: int) -> PuzzleRows:
        """Return the next puzzles of the stream."""
        parts = []
        while count:
            if self._waiting is None or not len(self._waiting[0]):
                self._waiting = next(self._batches)
            tokens, labels, identifiers = self._waiting
            parts.append((tokens[:count], labels[:count], identifiers[:count]))
            self._waiting = (tokens[count:], labels[count:], identifiers[count:])
            count -= len(parts[-1][0])
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return PuzzleRows(*(torch.from_numpy(column) for column in columns))

    def advance(self) -> dict[str, float]:
        """Run one optimizer step.

        Returns:
            Its losses, and the share of slots whose answer was right.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        if not self._is_wide and self._schedule.whole_canvas(self.step):
            self._widen()
        slots = self.slots
        reset = slots.refill(self._take)
        if self._are_level:
            slots.stagger(self._explore)
            self._are_level = False
        rows_alone = self._schedule.rows_alone(self.step)
        self.worker.requires_grad_(not rows_alone)
        rows = self._slot_rows()
        out = training_step(
            self.worker, slots.tokens.to(self.device), rows, reset.to(self.device), self._carry
        )
        lesson, figures = self.lesson(out)
        result = supervise(out, slots.labels.to(self.device), lesson)
        loss = result.loss
        if not self.config.no_ACT_continue:
            loss = loss + self._continue_loss(out, rows)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"the loss became {loss.item()} in step {self.step + 1}. Lower the learning rate, "
                f"which is {self.recipe.lr:g}."
            )
        loss.backward()  # type: ignore[no-untyped-call]
        self._update(rows, rows_alone=rows_alone)
        self._carry = {name: state.detach() for name, state in out.carry.items()}
        stop = self._rule.wants_to_stop(
            out.q_halt.detach().float().cpu().numpy(),
            out.q_continue.detach().float().cpu().numpy(),
        )
        slots.advance(torch.from_numpy(stop), self._explore, self.recipe.exploration)
        self.step += 1
        return {
            "loss": result.answer_loss.item(),
            "halting_loss": result.halting_loss.item(),
            "exact": result.exact.float().mean().item(),
            **figures,
        }

    def lesson(self, out: StepOutput) -> tuple[Tensor | None, dict[str, float]]:
        """Choose what the step is trained on; a curriculum overrides this.

        Args:
            out: of the step.

        Returns:
            Labels (B, L) integer, None for the answers; and figures for the log.
        """
        return None, {}

    def _slot_rows(self) -> Tensor | None:
        """Puzzle-embedding rows of the slots (B, E), with a gradient; None without a table."""
        if not self.config.puzzle_emb_ndim:
            return None
        identifiers = self.slots.identifiers.to(self.device)
        if self.recipe.rows_lr is None:
            return self._worker_table[identifiers]
        return self.table[identifiers.long()].detach().requires_grad_()

    def _continue_loss(self, out: StepOutput, rows: Tensor | None) -> Tensor:
        """Loss of q_continue, which only a rule that compares both logits trains."""
        slots = self.slots
        last = (slots.steps + 1 >= slots.max_steps).to(self.device)
        carry = {name: state.detach() for name, state in out.carry.items()}
        target = continue_target(self.worker, slots.tokens.to(self.device), rows, carry, last)
        return HALTING_WEIGHT * F.binary_cross_entropy_with_logits(out.q_continue, target)

    @torch.no_grad()
    def _update(self, rows: Tensor | None, *, rows_alone: bool) -> None:
        recipe = self.recipe
        rate = self._schedule.rate(self.step)
        if recipe.rows_lr is not None and rows is not None and rows.grad is not None:
            identifiers = self.slots.identifiers.to(self.device).long()
            lr = recipe.rows_lr * rate
            sign_descent(self.table.data, identifiers, rows.grad, lr, recipe.rows_weight_decay)
        if rows_alone:
            return
        for master, worker in self.pairs:
            master.grad = worker.grad.float() if worker.grad is not None else None
            worker.grad = None
        nn.utils.clip_grad_norm_([master for master, _ in self.pairs], recipe.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.lr * rate
        self._optimizer.step()
        # The average follows quickly at first, so that early checkpoints are meaningful.
        decay = min(recipe.ema, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for average, (master, _) in zip(self.average, self.pairs, strict=True):
            average.lerp_(master, 1 - decay)
        self._sync_worker()

    @torch.no_grad()
    def averaged(self) -> tuple[RecursiveModel, Tensor]:
        """Return the averaged model in float32 on the CPU, and its table (N, E) float32."""
        model = RecursiveModel(self.recipe.model)
        for parameter, value in zip(model.parameters(), self.average, strict=False):
            parameter.copy_(value)
        for state, master_state in zip(model.buffers(), self.master.buffers(), strict=True):
            state.copy_(master_state)
        table = self.average[-1] if self.recipe.rows_lr is None else self.table
        return model, table.detach().cpu().clone()

    def content(self) -> dict[str, Any]:
        """Return everything that determines the steps to come, for :meth:`restore`."""
        slots = self.slots
        content: dict[str, Any] = {
            "step": self.step,
            "is_wide": self._is_wide,
            "updates": self._updates,
            "master": [master.detach() for master, _ in self.pairs],
            "average": self.average,
            "initial": list(self.master.buffers()),
            "table": self.table.detach(),
            "optimizer": self._optimizer.state_dict(),
            "slots": [slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted],
            "carry": list(self._carry.values()),
            "explore": self._explore.get_state(),
            "random": as_plain(self._random.bit_generator.state),
        }
        if self._waiting is not None:
            content["waiting"] = [torch.from_numpy(part.copy()) for part in self._waiting]
        return content

    @torch.no_grad()
    def restore(self, content: Mapping[str, Any]) -> None:
        """Continue where :meth:`content` was called.

        Args:
            content: of a run with the same recipe, data and weights to begin with.
        """
        if content.get("is_wide") and not self._is_wide:
            self._widen()
        self.step = content["step"]
        self._are_level = self.step == 0
        self._updates = content["updates"]
        for (master, _), value in zip(self.pairs, content["master"], strict=True):
            master.copy_(value)
        self.average = [value.to(self.device) for value in content["average"]]
        for initial, value in zip(self.master.buffers(), content["initial"], strict=True):
            initial.copy_(value)
        self.table.copy_(content["table"])
        self._optimizer.load_state_dict(content["optimizer"])
        slots = self.slots
        states = [state.cpu() for state in content["slots"]]
        slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted = states
        carry = [state.to(self.device) for state in content["carry"]]
        self._carry = dict(zip(self._carry, carry, strict=True))
        self._explore.set_state(content["explore"].cpu())
        self._random.bit_generator.state = from_plain(content["random"])
        if "waiting" in content:
            tokens, labels, identifiers = (part.cpu().numpy() for part in content["waiting"])
            self._waiting = (tokens, labels, identifiers)
        self._sync_worker()
