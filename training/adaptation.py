"""Adapts a checkpoint to ARC-AGI tasks that it was not trained on, from their demonstrations.

The whole network is fine-tuned: puzzle-embedding rows alone, which start from the mean of the
trained ones, do not reach a new task. The rows are trained first, and then everything.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from trm_edge.arc.grids import SIDE
from trm_edge.arc.task import ArcTask
from trm_edge.errors import TrainingError
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.interrupts import DeferredSignals
from trm_edge.progress import Metered, Track, silent
from trm_edge.records import Format, RecordKind
from trm_edge.training.adapt_recipe import AdaptRecipe, Limit
from trm_edge.training.demonstrations import Demonstrations, smallest_window
from trm_edge.training.model_digest import model_digest
from trm_edge.training.recipe import TrainingRecipe
from trm_edge.training.row_plan import plan_rows
from trm_edge.training.schedule import ShareSchedule
from trm_edge.training.state_file import StateFile
from trm_edge.training.trainer import Trainer

FORMAT = Format("trm-edge.adaptation", 1)
KIND = RecordKind(FORMAT, "the state of an adaptation", TrainingError, "Delete it to start again.")
SAVE_SECONDS = 60.0
_DIGESTS = {"checkpoint": "weights", "table": "puzzle embeddings", "tasks": "tasks"}


@dataclass(frozen=True)
class _Identity:
    checkpoint: str
    table: str
    tasks: str
    recipe: AdaptRecipe
    device: str


@dataclass(frozen=True)
class Adapted:
    """An adapted model.

    Args:
        checkpoint: the model with its new table and names; its path and hash are those of the
            checkpoint that it was adapted from.
        training: settings and course of the run, for its configuration file.
        steps: that were run.
        seconds: of training.
    """

    checkpoint: Checkpoint
    training: dict[str, object]
    steps: int
    seconds: float


@dataclass(frozen=True)
class AdaptationStep:
    """What a step of an adaptation reports.

    Args:
        step: number of the step, from 1.
        done: share of the run that is done.
        rows_alone: whether it trained the rows only.
        loss: of the answers.
        exact: share of slots whose answer was right.
    """

    step: int
    done: float
    rows_alone: bool
    loss: float
    exact: float


class Adaptation:
    """An adaptation in progress, which can be stopped and continued.

    Args:
        checkpoint: to adapt; it is not changed.
        tasks: to adapt it to.
        recipe: settings.
        limit: when it is done.
        state: file in which the work is saved once a minute, on an interrupt and at the end. If it
            exists, the work continues from it.
        device: that computes.
        dtype: that it computes in.

    Raises:
        CheckpointError: the model is none of ARC-AGI.
        ConfigError: there is no task, or the table would be too large.
        TrainingError: the state cannot be read, or is of another run.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tasks: Sequence[ArcTask],
        recipe: AdaptRecipe,
        limit: Limit,
        *,
        state: Path,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.plan = plan_rows(checkpoint, tasks, recipe)
        self.recipe = recipe
        self.limit = limit
        self._checkpoint = checkpoint
        self.config = replace(checkpoint.config, num_puzzle_identifiers=len(self.plan.names))
        self.window = self._choose_window(tasks)
        canvas = recipe.canvas if self.window < SIDE else 0.0
        self._schedule = ShareSchedule(rows_first=recipe.rows_first, canvas=canvas)
        self._trainer = Trainer(
            self._training_recipe(),
            Demonstrations(self.plan.tasks, self.window),
            checkpoint.model,
            self.plan.table,
            device=device,
            dtype=dtype,
            compiled=device.type == "cuda",
            schedule=self._schedule,
            canvas_data=Demonstrations(self.plan.tasks),
        )
        self._seconds = 0.0
        identity = _Identity(
            checkpoint=model_digest(checkpoint.model),
            table=hashlib.sha256(self.plan.table.numpy().tobytes()).hexdigest(),
            tasks=_digest_of_tasks(tasks),
            recipe=recipe,
            device=device.type,
        )
        self._state = StateFile(state, KIND, identity, _DIGESTS)
        self._saved_at = time.monotonic()
        if state.exists():
            content = self._state.read()
            try:
                self._seconds = float(content["seconds"])
                self._trainer.restore(content)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise TrainingError(
                    f"{state} does not continue this adaptation: it is incomplete. {KIND.remedy}"
                ) from error

    def _choose_window(self, tasks: Sequence[ArcTask]) -> int:
        config = self.config
        can_be_smaller = not config.mlp_t and config.pos_encodings != "learned"
        if self.recipe.whole_canvas or not can_be_smaller:
            return SIDE
        return smallest_window(tasks)

    def _training_recipe(self) -> TrainingRecipe:
        recipe = self.recipe
        return TrainingRecipe(
            self.config,
            batch=recipe.batch,
            lr=recipe.lr,
            weight_decay=recipe.weight_decay,
            ema=recipe.ema,
            rows_lr=recipe.rows_lr,
            rows_weight_decay=recipe.weight_decay,
            window=None if self.window == SIDE else self.window,
            canvas_batch=max(1, recipe.batch // 4),
            seed=recipe.seed,
        )

    @property
    def steps(self) -> int:
        """Steps that were run."""
        return self._trainer.step

    @property
    def done(self) -> float:
        """Share of the run that is done."""
        return self.limit.done(self.steps, self._seconds)

    def run(
        self, track: Track = silent, report: Callable[[AdaptationStep], None] | None = None
    ) -> Adapted:
        """Train to the limit. Ctrl-C and SIGTERM wait for the end of a step and save it.

        Args:
            track: shows progress.
            report: called after every step.

        Raises:
            TrainingError: the loss is no longer finite, or the state cannot be saved.
        """
        self.save()  # a place that cannot be written is found out at once
        with DeferredSignals() as signals:
            for step in self._tracked(track):
                if report is not None:
                    report(step)
                if signals.pending:
                    self.save()
                    signals.deliver()
                if time.monotonic() - self._saved_at > SAVE_SECONDS:
                    self.save()
            self.save()
        return self._adapted()

    def _tracked(self, track: Track) -> Iterator[AdaptationStep]:
        steps = self.limit.steps
        seconds = self.limit.seconds
        if steps is not None:
            metered = Metered(self._steps(), "steps", lambda: self.steps, counts_items=False)
            yield from track(metered, "adapting", steps)
        elif seconds is not None:
            metered = Metered(self._steps(), "seconds", lambda: self._seconds, counts_items=False)
            yield from track(metered, "adapting", round(seconds))

    def _steps(self) -> Iterator[AdaptationStep]:
        while self.done < 1:
            started = time.monotonic()
            self._schedule.done = self.done
            rows_alone = self._schedule.rows_alone(self.steps)
            figures = self._trainer.advance()
            self._seconds += time.monotonic() - started
            yield AdaptationStep(
                self.steps, self.done, rows_alone, figures["loss"], figures["exact"]
            )

    def save(self) -> None:
        """Save the state.

        Raises:
            TrainingError: it cannot be saved.
        """
        self._state.write({**self._trainer.content(), "seconds": self._seconds})
        self._saved_at = time.monotonic()

    def _adapted(self) -> Adapted:
        model, table = self._trainer.averaged()
        checkpoint = replace(
            self._checkpoint,
            config=self.config,
            model=model.eval().requires_grad_(False),
            puzzle_embeddings=table.numpy(),
            averaged=True,
            identifiers=self.plan.names,
        )
        recipe = self.recipe
        training: dict[str, object] = {
            "ema": True,
            "ema_rate": recipe.ema,
            "global_batch_size": recipe.batch,
            "lr": recipe.lr,
            "puzzle_emb_lr": recipe.rows_lr,
            "weight_decay": recipe.weight_decay,
            "puzzle_emb_weight_decay": recipe.weight_decay,
            "seed": recipe.seed,
            "adapted_from": self._checkpoint.sha256,
        }
        return Adapted(checkpoint, training, self.steps, self._seconds)


def _digest_of_tasks(tasks: Sequence[ArcTask]) -> str:
    digest = hashlib.sha256()
    for task in tasks:
        digest.update(task.name.encode())
        digest.update(json.dumps(task.to_json()).encode())
    return digest.hexdigest()
