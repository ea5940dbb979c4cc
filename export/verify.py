"""Check at export time that the step graph computes what the checkpoint computes, at every depth.

The trajectory is PyTorch's: at every step both get PyTorch's carry, so a difference is the graph's
own and not the recursion's amplification of an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.errors import ExportError
from trm_edge.export.model import RecursiveModel, StepOutput
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle
from trm_edge.puzzle_table import PuzzleTable

TOLERANCE = 1e-3  # of the largest magnitude of the tensor; rounding alone stays below 1e-4


@torch.inference_mode()
def verify_step_graph(
    graph: Path,
    model: RecursiveModel,
    puzzle_embeddings: PuzzleTable | None,
    puzzles: Sequence[Puzzle],
    track: Track = silent,
) -> float:
    """Compare all outputs over all ``halt_max_steps`` steps.

    Args:
        graph: path of the float32 step graph.
        model: the float32 model that it was made from.
        puzzle_embeddings: the table (N, E), or None where the model has none.
        puzzles: B puzzles to run.
        track: reports the steps.

    Returns:
        The largest difference, relative to the largest magnitude of its tensor.

    Raises:
        ExportError: it exceeds TOLERANCE; names the tensor and the step.
    """
    config = model.config
    tokens = np.stack([puzzle.tokens for puzzle in puzzles]).astype(np.int32)
    embedding = None
    torch_embedding = None
    if puzzle_embeddings is not None:
        identifiers = [puzzle.identifier for puzzle in puzzles]
        embedding = np.asarray(puzzle_embeddings[identifiers])
        torch_embedding = torch.from_numpy(embedding)
    carry = model.initial_carry(len(puzzles))
    largest = 0.0
    backend = OnnxRuntimeBackend(graph, config)
    with backend:
        steps = range(1, config.halt_max_steps + 1)
        for step in track(steps, "checking the step graph", len(steps)):
            reset = np.full(len(puzzles), step == 1)
            expected = model(
                torch.from_numpy(tokens), torch_embedding, torch.from_numpy(reset), carry
            )
            states = [state.numpy() for state in carry.values()]
            actual = backend.run(tokens, embedding, reset, states)
            outputs = {
                "logits": actual.logits,
                "q_halt": actual.q_halt,
                "q_continue": actual.q_continue,
            }
            for name, state in zip(carry, actual.carry, strict=True):
                outputs[f"{name}_next"] = state
            largest = max(largest, _largest_difference(expected, outputs, step))
            carry = expected.carry
    return largest


def _largest_difference(
    expected: StepOutput, outputs: Mapping[str, NDArray[np.float32]], step: int
) -> float:
    tensors: dict[str, Tensor] = {}
    for name, state in expected.carry.items():
        tensors[f"{name}_next"] = state
    tensors["logits"] = expected.logits
    tensors["q_halt"] = expected.q_halt
    tensors["q_continue"] = expected.q_continue
    largest = 0.0
    for name, tensor in tensors.items():
        scale = max(1.0, float(tensor.abs().max()))
        difference = float(np.abs(tensor.numpy() - outputs[name]).max()) / scale
        if not difference <= TOLERANCE:  # NaN, too
            raise ExportError(
                f"the step graph differs from PyTorch in {name} at step {step}: "
                f"{difference:.2e} of its largest magnitude, but at most {TOLERANCE:.0e} is "
                "allowed. This is a defect of the export; please report it."
            )
        largest = max(largest, difference)
    return largest
