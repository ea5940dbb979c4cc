"""The INT8 step graph of a model, without the rest of an export."""

from __future__ import annotations

from pathlib import Path

import onnx

from lib.quantization_rows import DEFAULTS, Subject
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.progress import Track, silent
from trm_edge.targets.puzzle_sources import PuzzleSet, calibration_puzzles
from trm_edge.tasks import task_for

_CALIBRATION_PUZZLES = 64


def write_int8_graph(
    checkpoint: Checkpoint, held_out: PuzzleSet, path: Path, track: Track = silent
) -> None:
    """Calibrate on bundled puzzles and write the graph of the ``cpu`` target.

    An export also solves hundreds of puzzles in float32, which no speed or halting rule needs.

    Args:
        checkpoint: the model.
        held_out: puzzles that are not calibrated on.
        path: the graph, in an existing folder.
        track: reports progress.
    """
    task = task_for(checkpoint.config)
    source = calibration_puzzles(task, None, None, held_out, _CALIBRATION_PUZZLES)
    subject = Subject(
        checkpoint.model, checkpoint.puzzle_embeddings, source.puzzles, path.parent, track
    )
    graph = DEFAULTS["INT8"](subject)
    assert isinstance(graph, onnx.ModelProto)
    onnx.save(graph, path)
