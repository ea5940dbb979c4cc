"""The training loop of a fine-tuning: one optimizer step of a batch of slots at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.calibration.qat.fake_quantization import input_ranges, insert_quantizers
from trm_edge.calibration.qat.labels import answers_to_learn
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.qat.relative_weights import RelativeOptimizer
from trm_edge.calibration.qat.saved_content import check_inputs, check_progress
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.errors import CalibrationError
from trm_edge.export.model import RecursiveModel, StepOutput
from trm_edge.loop.halting import HaltingRule
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry
from trm_edge.training.deep_supervision import PuzzleRows, Slots, supervise, training_step


class Finetuning:
    """A fine-tuning in progress: ``advance`` does one step of it.

    Args:
        model: the float32 model; it is not changed.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        entries: puzzles to learn from.
        qtype: the quantized type.
        recipe: rounding of inputs, and the method of their ranges.
        finetune_recipe: settings of the fine-tuning.
        saved: of :meth:`content`, to continue from it.
        track: reports progress of what comes before the first step.

    Raises:
        CalibrationError: an input is not finite, the type does not support the recipe's method, or
            ``saved`` is not of this fine-tuning.
        ConfigError: the table does not fit the model.
        MissingExtraError: nvidia-modelopt is not installed.
    """

    def __init__(
        self,
        model: RecursiveModel,
        puzzle_embeddings: NDArray[np.float32] | None,
        entries: Sequence[Entry],
        qtype: QType,
        recipe: CalibrationRecipe,
        finetune_recipe: FinetuneRecipe,
        *,
        saved: Mapping[str, Any] | None = None,
        track: Track = silent,
    ) -> None:
        self.recipe = finetune_recipe
        self.model = copy.deepcopy(model).float().requires_grad_(True)
        config = model.config
        self._rule = HaltingRule.from_config(config)
        self._table = puzzle_embeddings if config.puzzle_emb_ndim else None
        puzzles = [entry.puzzle for entry in entries]
        if saved is None:
            self._labels = answers_to_learn(
                self.model, puzzle_embeddings, entries, self.recipe.batch, track
            )
            self._ranges = input_ranges(
                self.model, puzzle_embeddings, puzzles, qtype, recipe, track
            )
        else:
            check_inputs(saved, config, len(puzzles), _ranged_layers(model, recipe))
            self._labels = saved["labels"]
            self._ranges = saved["ranges"]
        self._tokens = torch.from_numpy(np.stack([puzzle.tokens for puzzle in puzzles]))
        self._identifiers = torch.tensor([puzzle.identifier for puzzle in puzzles])
        insert_quantizers(self.model, qtype, recipe.activations, self._ranges)
        self._optimizer = RelativeOptimizer(self.model, self.recipe)
        self.step = 0
        self.between_steps = True  # False: an interrupted step left a state that cannot be saved
        self._generator = torch.Generator().manual_seed(self.recipe.seed)
        self._order = torch.zeros(0, dtype=torch.int64)  # of the puzzles still to come
        self._slots = Slots(self.recipe.batch, config)
        self._carry = self.model.initial_carry(self.recipe.batch)
        if saved is not None:
            self._restore(saved)

    def advance(self) -> float:
        """Do one optimizer step.

        Returns:
            The loss before the step.

        Raises:
            CalibrationError: the loss or its gradient is no longer finite.
        """
        self.between_steps = False
        reset = self._slots.refill(self._take)
        if self.step == 0:
            self._slots.stagger(self._generator)
        output = training_step(
            self.model, self._slots.tokens, self._puzzle_embedding(), reset, self._carry
        )
        supervision = supervise(output, self._slots.labels)
        loss = supervision.loss.item()
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        supervision.loss.backward()  # type: ignore[no-untyped-call]
        norm = self._optimizer.clip_gradient()
        if not math.isfinite(norm):
            raise self._diverged(f"the gradient became {norm}")
        self._optimizer.step(self.recipe.rate(self.step))
        self._finish_step(output)
        return loss

    def _puzzle_embedding(self) -> Tensor | None:
        """Puzzle-embedding rows of the slots (B, E)."""
        if self._table is None:
            return None
        rows = self._table[self._slots.identifiers.numpy()]
        return torch.from_numpy(np.asarray(rows, np.float32))

    def _finish_step(self, output: StepOutput) -> None:
        self._carry = {name: state.detach() for name, state in output.carry.items()}
        stop = self._rule.wants_to_stop(
            output.q_halt.detach().numpy(), output.q_continue.detach().numpy()
        )
        self._slots.advance(torch.from_numpy(stop), self._generator, self.recipe.exploration)
        self.step += 1
        self.between_steps = True

    def _diverged(self, description: str) -> CalibrationError:
        return CalibrationError(
            f"{description} in step {self.step + 1} of fine-tuning. Check the checkpoint in "
            "float32 first (--fp32). In Python, lower FinetuneRecipe.lr, which is "
            f"{self.recipe.lr:g}."
        )

    def _take(self, count: int) -> PuzzleRows:
        """The next puzzles: all of them in a random order, then all in another order."""
        while len(self._order) < count:
            order = torch.randperm(len(self._tokens), generator=self._generator)
            self._order = torch.cat((self._order, order))
        indices = self._order[:count]
        self._order = self._order[count:]
        return PuzzleRows(self._tokens[indices], self._labels[indices], self._identifiers[indices])

    def model_in_float(self) -> RecursiveModel:
        """A copy of the current model without quantizers."""
        values = self.model.state_dict()
        plain = RecursiveModel(self.model.config)
        plain.load_state_dict({name: values[name] for name in plain.state_dict()})
        return plain.eval().requires_grad_(False)

    def content(self) -> dict[str, Any]:
        """Everything that determines the steps to come, for ``saved``."""
        slots = self._slots
        relative, optimizer = self._optimizer.state()
        return {
            "step": self.step,
            "labels": self._labels,
            "ranges": self._ranges,
            "relative": relative,
            "optimizer": optimizer,
            "generator": self._generator.get_state(),
            "order": self._order,
            "slots": [slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted],
            "carry": [state.contiguous() for state in self._carry.values()],
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        check_progress(saved, self.content(), self.recipe.steps)
        self.step = saved["step"]
        self._optimizer.restore(saved["relative"], saved["optimizer"])
        self._generator.set_state(saved["generator"])
        self._order = saved["order"]
        slots = self._slots
        slots.tokens, slots.labels, slots.identifiers, slots.steps, slots.halted = saved["slots"]
        self._carry = dict(zip(self._carry, saved["carry"], strict=True))


def _ranged_layers(model: RecursiveModel, recipe: CalibrationRecipe) -> frozenset[str]:
    """The layers whose inputs are rounded by ranges that were measured before."""
    layers = set()
    for name in linear_layers(model):
        if recipe.activations_of(name) in ("per_layer", "per_call_site"):
            layers.add(name)
    return frozenset(layers)
