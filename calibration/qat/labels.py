"""Labels of a fine-tuning: known answers, and the model's own where none is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.export.model import RecursiveModel
from trm_edge.export.torch_backend import TorchBackend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solver import Solver
from trm_edge.progress import Metered, Track, silent
from trm_edge.tasks.base import Entry


def answers_to_learn(
    model: RecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    entries: Sequence[Entry],
    batch: int,
    track: Track = silent,
) -> Tensor:
    """Collect the known answers, and solve the puzzles without one.

    Args:
        model: solves the puzzles whose answer is not known, for all steps.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
        entries: the n puzzles.
        batch: number of slots.
        track: reports progress.

    Returns:
        (n, L) int32.

    Raises:
        ConfigError: the table does not fit the model.
    """
    rule = HaltingRule.from_config(model.config, "fixed")
    solver = Solver(TorchBackend(model), puzzle_embeddings, halting=rule, batch=batch)
    unknown = []
    labels = np.zeros((len(entries), model.config.seq_len), np.int32)
    for index, entry in enumerate(entries):
        if entry.answer is None:
            unknown.append(index)
        else:
            labels[index] = entry.answer
    if unknown:
        with solver:
            solutions = solver.solve([entries[index].puzzle for index in unknown])
            max_steps = model.config.halt_max_steps
            metered = Metered(solutions, "puzzles", lambda: solver.slot_steps / max_steps)
            for solution in track(metered, "answers to learn", len(unknown)):
                labels[unknown[solution.index]] = solution.answer
    return torch.from_numpy(labels)
