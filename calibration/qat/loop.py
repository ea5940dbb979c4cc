"""The training loop of a fine-tuning: one optimizer step of a batch of slots at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.calibration.qat.deep_supervision import PuzzleRows, Slots, supervise, training_step
from trm_edge.calibration.qat.fake_quantization import input_ranges, insert_quantizers
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError
from trm_edge.export.model import Carry, TinyRecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry


class Finetuning:
    """A fine-tuning at work: ``advance`` does one step of it.

    Args:
        saved: what ``content`` gave, to go on from there.
    """

    def __init__(
        self,
        model: TinyRecursiveModel,
        puzzle_embeddings: NDArray[np.float32] | None,
        entries: Sequence[Entry],
        qtype: QType,
        recipe: CalibrationRecipe,
        how: FinetuneRecipe,
        *,
        saved: Mapping[str, Any] | None = None,
        track: Track = silent,
    ) -> None:
        self.how = how
        self.model = copy.deepcopy(model).float().requires_grad_(True)
        config = model.config
        self._rule = HaltingRule.from_config(config)
        self._table = puzzle_embeddings if config.puzzle_emb_ndim else None
        puzzles = [entry.puzzle for entry in entries]
        if saved is None:
            self._labels = _labels(self.model, puzzle_embeddings, entries, how.batch, track)
            self._ranges = input_ranges(
                self.model, puzzle_embeddings, puzzles, qtype, recipe, track
            )
        else:
            self._labels, self._ranges = saved["labels"], saved["ranges"]
        self._tokens = torch.from_numpy(np.stack([puzzle.tokens for puzzle in puzzles]))
        self._identifiers = torch.tensor([puzzle.identifier for puzzle in puzzles])
        insert_quantizers(self.model, qtype, recipe.activations, self._ranges)
        self._weights = list(self.model.parameters())
        self._scales = [_row_scales(weight.detach()) for weight in self._weights]
        # What the optimizer sees: weights over the scale of their row.
        self._relative = [
            nn.Parameter(weight.detach() / scale)
            for weight, scale in zip(self._weights, self._scales, strict=True)
        ]
        self._write_weights()
        self._optimizer = self._new_optimizer()
        self.step = 0
        self.between_steps = True  # False: an interrupted step left a state that is none
        self._generator = torch.Generator().manual_seed(how.seed)
        self._order = torch.zeros(0, dtype=torch.int64)  # of the puzzles still to come
        self._slots = Slots(how.batch, config)
        self._carry = self.model.initial_carry(how.batch)
        if saved is not None:
            self._restore(saved)

    def _new_optimizer(self) -> torch.optim.Optimizer:
        inside = {id(weight) for weight in self.model.L_level.parameters()}
        matrices: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for weight, relative in zip(self._weights, self._relative, strict=True):
            (matrices if id(weight) in inside else rest).append(relative)
        groups = [
            {"params": matrices, "weight_decay": self.how.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, betas=(0.9, 0.95))

    def advance(self) -> float:
        """One optimizer step; returns the loss before it.

        Raises:
            CalibrationError: the loss or its gradient is no longer finite.
        """
        self.between_steps = False
        slots = self._slots
        reset = slots.refill(self._take)
        if self.step == 0:
            slots.stagger(self._generator)
        rows = None
        if self._table is not None:
            rows = torch.from_numpy(np.asarray(self._table[slots.identifiers.numpy()], np.float32))
        output = training_step(self.model, slots.tokens, rows, reset, self._carry)
        result = supervise(output, slots.labels)
        loss = result.loss.item()
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        result.loss.backward()  # type: ignore[no-untyped-call]
        self._update()
        self._carry = Carry(output.carry.z_H.detach(), output.carry.z_L.detach())
        stop = self._rule.wants_to_stop(
            output.q_halt.detach().numpy(), output.q_continue.detach().numpy()
        )
        slots.advance(torch.from_numpy(stop), self._generator, self.how.exploration)
        self.step += 1
        self.between_steps = True
        return loss

    @torch.no_grad()
    def _update(self) -> None:
        for weight, scale, relative in zip(
            self._weights, self._scales, self._relative, strict=True
        ):
            relative.grad = None if weight.grad is None else weight.grad * scale
            weight.grad = None
        norm = float(nn.utils.clip_grad_norm_(self._relative, self.how.clip))
        if not math.isfinite(norm):
            raise self._diverged(f"the gradient became {norm}")
        rate = self.how.rate(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._write_weights()

    @torch.no_grad()
    def _write_weights(self) -> None:
        for weight, scale, relative in zip(
            self._weights, self._scales, self._relative, strict=True
        ):
            weight.copy_(relative * scale)

    def _diverged(self, what: str) -> CalibrationError:
        return CalibrationError(
            f"{what} in step {self.step + 1} of fine-tuning. Lower the learning rate, which is "
            f"{self.how.lr:g}, or check the checkpoint in float32 first (--fp32)."
        )

    def _take(self, count: int) -> PuzzleRows:
        """The next puzzles: all of them in a random order, then all of them in another."""
        while len(self._order) < count:
            again = torch.randperm(len(self._tokens), generator=self._generator)
            self._order = torch.cat((self._order, again))
        now, self._order = self._order[:count], self._order[count:]
        return PuzzleRows(self._tokens[now], self._labels[now], self._identifiers[now])

    def model_in_float(self) -> TinyRecursiveModel:
        """The model as it is now, without quantizers."""
        values = self.model.state_dict()
        plain = TinyRecursiveModel(self.model.config)
        plain.load_state_dict({name: values[name] for name in plain.state_dict()})
        return plain.eval().requires_grad_(False)

    def content(self) -> dict[str, Any]:
        """Everything that decides what follows, for ``saved``."""
        slots = self._slots
        return {
            "step": self.step,
            "labels": self._labels,
            "ranges": self._ranges,
            "relative": [relative.detach() for relative in self._relative],
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "order": self._order,
            "slots": [slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted],
            "carry": [state.contiguous() for state in self._carry],
        }

    @torch.no_grad()
    def _restore(self, saved: Mapping[str, Any]) -> None:
        self.step = saved["step"]
        for relative, value in zip(self._relative, saved["relative"], strict=True):
            relative.copy_(value)
        self._write_weights()
        self._optimizer.load_state_dict(saved["optimizer"])
        self._generator.set_state(saved["generator"])
        self._order = saved["order"]
        slots = self._slots
        slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted = saved["slots"]
        self._carry = Carry(*saved["carry"])


def _labels(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    batch: int,
    track: Track,
) -> Tensor:
    """What to learn (n, L) int32: the known answer, else the model's own after all steps."""
    rule = HaltingRule.from_config(model.config, "fixed")
    solver = Solver(TorchBackend(model), puzzle_embeddings, halting=rule, batch=batch)
    unknown = [place for place, entry in enumerate(entries) if entry.answer is None]
    labels = np.zeros((len(entries), model.config.seq_len), np.int32)
    for place, entry in enumerate(entries):
        if entry.answer is not None:
            labels[place] = entry.answer
    if unknown:
        with solver:
            found = solver.solve([entries[place].puzzle for place in unknown])
            for solution in track(found, "answers to learn", len(unknown)):
                labels[unknown[solution.index]] = solution.answer
    return torch.from_numpy(labels)


def _row_scales(weight: Tensor) -> Tensor:
    """Root mean square of each row (out, 1) of a matrix; 1 for rows of zeros and for vectors."""
    if weight.ndim < 2:
        return torch.ones_like(weight)
    power = weight.square().mean(1, keepdim=True)
    return torch.where(power > 0, power, torch.ones_like(power)).sqrt()
