"""Fine-tuning with quantization in place, so that the weights adapt to it.

The network computes on fake-quantized weights and inputs and is trained as it was originally, by
deep supervision (see ``training/deep_supervision.py``), in float32 on the CPU. The result has float
weights again, for ``calibrate`` to quantize.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trm_edge.calibration.qat.loop import Finetuning
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.qat.state import identify, state_file
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError, CalibrationWarning
from trm_edge.export.model import RecursiveModel
from trm_edge.interrupts import DeferredSignals
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry
from trm_edge.training.state_file import StateFile

FEW_PUZZLES = 256  # fewer can be memorised
SAVE_SECONDS = 60.0


def finetune(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    qtype: QType,
    recipe: CalibrationRecipe,
    finetune_recipe: FinetuneRecipe,
    state: Path | None = None,
    track: Track = silent,
) -> RecursiveModel:
    """Fine-tune a model with quantization in place.

    The same arguments give the same result, whether or not the work was interrupted, on the same
    machine with the same number of threads.

    Args:
        model: the float32 model, equalised if it is to be (``Calibration.model``); it is not
            changed.
        puzzle_embeddings: table (N, E) float32, which is not trained; None where the model has
            none.
        entries: puzzles to learn from. Where the answer is not known, the model's own answer after
            all steps takes its place.
        qtype: the quantized type.
        recipe: rounding of inputs, and the method of their ranges.
        finetune_recipe: settings of the fine-tuning.
        state: file in which the work is saved once a minute, on an interrupt and at the end. If it
            exists, the work continues from it.
        track: reports progress.

    Returns:
        A float32 model with the same layers.

    Raises:
        CalibrationError: there are no puzzles, the training diverges, or the state is unreadable or
            of another fine-tuning.
        ConfigError: the table does not fit the model.
        MissingExtraError: nvidia-modelopt is not installed.

    Warns:
        CalibrationWarning: there are few puzzles.
    """
    _check_entries(entries)
    file = None
    saved = None
    if state is not None:
        identity = identify(model, puzzle_embeddings, entries, qtype, recipe, finetune_recipe)
        file = state_file(state, identity)
        if state.exists():
            saved = file.read()
    run = Finetuning(
        model,
        puzzle_embeddings,
        entries,
        qtype,
        recipe,
        finetune_recipe,
        saved=saved,
        track=track,
    )
    _run_to_end(run, finetune_recipe.steps, file, track)
    return run.model_in_float()


def _run_to_end(run: Finetuning, steps: int, file: StateFile | None, track: Track) -> None:
    """Do all steps. Ctrl-C and SIGTERM wait for the end of a step, so that it can be saved."""
    saved_step = run.step
    saved_at = time.monotonic()

    def save() -> None:
        nonlocal saved_step, saved_at
        if file is not None and run.step != saved_step:
            file.write(run.content())
        saved_step = run.step
        saved_at = time.monotonic()

    description = "fine-tuning"
    if run.step:
        description = f"fine-tuning from step {run.step}"
    with DeferredSignals() as signals:
        try:
            for _ in track(range(run.step, steps), description, steps - run.step):
                run.advance()
                if signals.pending:
                    save()
                    signals.deliver()
                if time.monotonic() - saved_at > SAVE_SECONDS:
                    save()
        except KeyboardInterrupt:
            if run.between_steps:
                save()
            raise
        save()


def _check_entries(entries: Sequence[Entry]) -> None:
    if not entries:
        raise CalibrationError(
            "there are no puzzles to fine-tune on; pass some with --calibration."
        )
    if len(entries) < FEW_PUZZLES:
        warnings.warn(
            f"fine-tuning on {len(entries)} puzzles: fewer than {FEW_PUZZLES} can be memorised, "
            "at the cost of all others. Pass more with --calibration.",
            CalibrationWarning,
            stacklevel=3,
        )
