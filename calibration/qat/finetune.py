"""Fine-tune a model with its quantization in place, so that it learns to live with it.

The network computes on fake-quantized weights and inputs and is trained as it was in the first
place, by deep supervision (see ``deep_supervision.py``), in float32 on the CPU. What comes back are
float weights again, for ``calibrate`` to quantize.
"""

from __future__ import annotations

import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.calibration.qat.loop import Finetuning
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.qat.state import identity, read_state, write_state
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.errors import CalibrationError, CalibrationWarning
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry

FEW_PUZZLES = 256  # fewer can be learned by heart
SAVE_SECONDS = 60.0


def finetune(
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    qtype: QType,
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
    settings = {"kind": qtype, "recipe": recipe.to_dict(), "how": how.to_dict()}
    mine = identity(model, puzzle_embeddings, entries, settings) if state is not None else {}
    saved = read_state(state, mine) if state is not None and state.exists() else None
    run = Finetuning(
        model, puzzle_embeddings, entries, qtype, recipe, how, saved=saved, track=track
    )

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
