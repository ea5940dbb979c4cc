"""The plain float32 step graph: checked against PyTorch before anything is made from the model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import onnx

from trm_edge.export.checkpoint import Checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.export.verify import verify_step_graph
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Puzzle
from trm_edge.puzzle_table import PuzzleTable

logger = logging.getLogger(__name__)

VERIFIED_PUZZLES = 4


def write_reference_graph(
    checkpoint: Checkpoint,
    table: PuzzleTable | None,
    path: Path,
    puzzles: Sequence[Puzzle],
    track: Track = silent,
) -> None:
    """Write the float32 step graph and verify it against PyTorch at every step.

    Args:
        checkpoint: the trained model.
        table: puzzle embeddings (N, E), whose rows the puzzles name; None where the model has none.
        path: of the ONNX file.
        puzzles: the first few are run.
        track: reports the steps.

    Raises:
        ExportError: the graph does not compute what the checkpoint computes.
    """
    onnx.save(step_graph(checkpoint.model), path)
    difference = verify_step_graph(
        path,
        checkpoint.model,
        table,
        puzzles[:VERIFIED_PUZZLES],
        track,
    )
    logger.info(
        "step graph equals PyTorch over %d steps (largest difference %.1e)",
        checkpoint.config.halt_max_steps,
        difference,
    )
