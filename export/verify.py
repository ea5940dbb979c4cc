"""Does the step graph compute what the checkpoint computes? Checked at every depth, at export time.

The trajectory is PyTorch's: at every step both are given PyTorch's carry, so that a difference is
the graph's own and not the recursion's amplification of an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.errors import ExportError
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle

TOLERANCE = 1e-3  # of the largest magnitude of the tensor; rounding alone stays below 1e-4


@torch.inference_mode()
def verify_step_graph(
    graph: Path,
    model: TinyRecursiveModel,
    puzzle_embeddings: NDArray[np.float32] | None,
    puzzles: Sequence[Puzzle],
    track: Track = silent,
) -> float:
    """Compare all outputs over all ``halt_max_steps`` steps; returns the largest difference.

    The difference is relative to the largest magnitude of each tensor.

    Raises:
        ExportError: it exceeds TOLERANCE; names the tensor and the step.
    """
    config = model.config
    tokens = np.stack([puzzle.tokens for puzzle in puzzles]).astype(np.int32)
    rows = None
    if puzzle_embeddings is not None:
        rows = np.asarray(puzzle_embeddings[[puzzle.identifier for puzzle in puzzles]])
    carry = model.initial_carry(len(puzzles))
    worst = 0.0
    backend = OnnxRuntimeBackend(graph, config)
    with backend:
        steps = range(1, config.halt_max_steps + 1)
        for step in track(steps, "checking the graph's steps", len(steps)):
            reset = np.full(len(puzzles), step == 1)
            expected = model(
                torch.from_numpy(tokens),
                None if rows is None else torch.from_numpy(rows),
                torch.from_numpy(reset),
                carry,
            )
            found = backend.run(tokens, rows, reset, carry.z_H.numpy(), carry.z_L.numpy())
            pairs = {
                "z_H_next": (expected.carry.z_H, found.z_H),
                "z_L_next": (expected.carry.z_L, found.z_L),
                "logits": (expected.logits, found.logits),
                "q_halt": (expected.q_halt, found.q_halt),
                "q_continue": (expected.q_continue, found.q_continue),
            }
            for name, (want, got) in pairs.items():
                scale = max(1.0, float(want.abs().max()))
                difference = float(np.abs(want.numpy() - got).max()) / scale
                if not difference <= TOLERANCE:
                    raise ExportError(
                        f"the step graph differs from PyTorch in {name} at step {step}: "
                        f"{difference:.2e} of its largest magnitude, at most {TOLERANCE:.0e} may "
                        "be. This is a defect of the export, please report it."
                    )
                worst = max(worst, difference)
            carry = expected.carry
    return worst
