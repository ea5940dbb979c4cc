"""Fine-tune a model with its quantization in place, so that it learns to live with it.

The network computes on fake-quantized weights and inputs and is trained as it was in the first
place, by deep supervision (see ``deep_supervision.py``), in float32 on the CPU. What comes back are
float weights again, for ``calibrate`` to quantize.
"""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trm_edge.backends.torch import TorchBackend
from trm_edge.calibration.deep_supervision import (
    EXPLORATION,
    PuzzleRows,
    Slots,
    supervise,
    training_step,
)
from trm_edge.calibration.fake_quantization import input_ranges, insert_quantizers
from trm_edge.calibration.finetune_state import identity, read_state, write_state
from trm_edge.calibration.recipe import CalibrationRecipe, QuantizedType
from trm_edge.errors import CalibrationError, CalibrationWarning, ConfigError
from trm_edge.export.model import Carry, TinyRecursiveModel
from trm_edge.halting import HaltingRule
from trm_edge.progress import Track, silent
from trm_edge.solver import Solver
from trm_edge.tasks.base import Entry

FEW_PUZZLES = 256  # fewer can be learned by heart
SAVE_SECONDS = 60.0


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


def finetune(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    kind: QuantizedType,
    recipe: CalibrationRecipe,
    how: FinetuneRecipe,
    state: Path | None = None,
    track: Track = silent,
) -> TinyRecursiveModel:
    """A float32 model with the same layers, fine-tuned; the model that is given stays as it is.

    With the same arguments the result is the same, whether or not the work was interrupted, on the
    same machine and number of threads.

    Args:
        model: equalised, where it is to be (``Calibration.model``).
        puzzle_embeddings: (N, E) float32, where the model has a table; it is not trained.
        entries: what to learn from. Where an answer is not known, the model's own after all steps
            takes its place.
        recipe: how inputs are quantized, and how their ranges are taken where that is in advance.
        state: where the work is kept once a minute, at an interrupt and at the end. If it is there
            already, it is gone on with.

    Raises:
        CalibrationError: there are no puzzles, the training diverges, or the state is unreadable or
            of another fine-tuning.
        ConfigError: the table does not fit the model.
        MissingExtraError: nvidia-modelopt is not installed.

    Warns:
        CalibrationWarning: there are few puzzles.
    """
    _check(entries)
    settings = {"kind": kind, "recipe": recipe.to_dict(), "how": how.to_dict()}
    mine = identity(model, puzzle_embeddings, entries, settings) if state is not None else {}
    saved = read_state(state, mine) if state is not None and state.exists() else None
    run = Finetuning(model, puzzle_embeddings, entries, kind, recipe, how, saved=saved, track=track)

    def keep() -> None:
        if state is not None:
            write_state(state, mine, run.content())

    kept = time.monotonic()
    what = f"fine-tuning from step {run.step}" if run.step else "fine-tuning"
    with _interrupts_wait(state is not None) as interrupted:
        try:
            for _ in track(range(run.step, how.steps), what, how.steps - run.step):
                run.advance()
                if interrupted():
                    raise KeyboardInterrupt
                if time.monotonic() - kept > SAVE_SECONDS:
                    keep()
                    kept = time.monotonic()
        except KeyboardInterrupt:
            if run.between_steps:
                keep()
            raise
        keep()
    return run.model_in_float()


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
        kind: QuantizedType,
        recipe: CalibrationRecipe,
        how: FinetuneRecipe,
        *,
        saved: Mapping[str, Any] | None = None,
        track: Track = silent,
    ) -> None:
        self.how = how
        self.model = copy.deepcopy(model).float().requires_grad_(True)
        config = model.config
        self._rule = HaltingRule.of(config)
        self._table = puzzle_embeddings if config.puzzle_emb_ndim else None
        puzzles = [entry.puzzle for entry in entries]
        if saved is None:
            self._labels = _labels(self.model, puzzle_embeddings, entries, how.batch, track)
            self._ranges = input_ranges(self.model, puzzle_embeddings, puzzles, kind, recipe, track)
        else:
            self._labels, self._ranges = saved["labels"], saved["ranges"]
        self._tokens = torch.from_numpy(np.stack([puzzle.tokens for puzzle in puzzles]))
        self._identifiers = torch.tensor([puzzle.identifier for puzzle in puzzles])
        insert_quantizers(self.model, kind, recipe.activations, self._ranges)
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


def _check(entries: Sequence[Entry]) -> None:
    if not entries:
        raise CalibrationError(
            "there are no puzzles to fine-tune on; pass some with --calibration."
        )
    if len(entries) < FEW_PUZZLES:
        warnings.warn(
            f"fine-tuning on {len(entries)} puzzles: fewer than {FEW_PUZZLES} can be learned by "
            "heart, at the cost of others. Pass more with --calibration.",
            CalibrationWarning,
            stacklevel=3,
        )


def _labels(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    batch: int,
    track: Track,
) -> Tensor:
    """What to learn (n, L) int32: the known answer, else the model's own after all steps."""
    rule = HaltingRule.of(model.config, "fixed")
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


@contextmanager
def _interrupts_wait(wanted: bool) -> Iterator[Callable[[], bool]]:
    """Ctrl-C waits for the end of a step, so that what is kept is whole; a second one does not.

    Yields:
        Whether there was one.
    """
    asked = False

    def remember(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    # Where Ctrl-C already means something else, or never reaches this thread, it is left alone.
    if (
        not wanted
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
