"""Layer sensitivity: the effect of quantizing each layer alone.

Layers are ranked by the carries of whole trajectories, on calibration puzzles: a few flipped
answers say little, while the carry of every step moves by an amount that can be compared. The
held-out puzzles remain untouched, to judge the result by.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import Calibration
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.ranking import LayerSensitivity
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.step_graph import step_graph
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.tasks.base import Entry


class QuantizedRunner:
    """Run the calibrated model with some of its layers quantized, in ONNX Runtime.

    Args:
        calibration: the calibrated model.
        puzzle_embeddings: table (N, E) float32; None where the model has none.
    """

    def __init__(self, calibration: Calibration, puzzle_embeddings: PuzzleTable | None) -> None:
        self.calibration = calibration
        self.puzzle_embeddings = puzzle_embeddings
        self._float = step_graph(calibration.model)

    def graph(self, layers: Mapping[str, LayerQuantization]) -> onnx.ModelProto:
        """The step graph with some layers quantized.

        Args:
            layers: quantization by layer name; layers that are absent stay in float.

        Raises:
            CalibrationError: a layer is not in the graph or has a range that gives no scale.
        """
        return quantize_graph(self._float, layers, self.calibration.qtype)

    def answers(
        self,
        entries: Sequence[Entry],
        layers: Mapping[str, LayerQuantization],
        *,
        track: Track = silent,
        description: str = "solving",
        carry_puzzles: int | None = None,
    ) -> ParityVectors:
        """Run puzzles through all steps with some layers quantized.

        Args:
            entries: the puzzles.
            layers: quantization by layer name; layers that are absent stay in float.
            track: reports progress.
            description: label of the progress.
            carry_puzzles: number of puzzles whose carries are recorded; all where None.

        Raises:
            CalibrationError: a layer is not in the graph or has a range that gives no scale.
        """
        config = self.calibration.model.config
        if carry_puzzles is None:
            carry_puzzles = len(entries)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "step.onnx"
            onnx.save(self.graph(layers), path)
            return record_vectors(
                OnnxRuntimeBackend(path, config),
                self.puzzle_embeddings,
                [entry.puzzle for entry in entries],
                labels_of(entries, config),
                carry_puzzles=carry_puzzles,
                track=track,
                description=description,
            )


def rank_layers(
    runner: QuantizedRunner, entries: Sequence[Entry], track: Track = silent
) -> list[LayerSensitivity]:
    """Rank all layers of a calibration, the one that moves the carries most first.

    Args:
        runner: runs the calibrated model.
        entries: puzzles to rank on.
        track: reports progress.
    """
    reference = runner.answers(entries, {}, track=track, description="sensitivity: float32")
    ranking = []
    for name, quantization in runner.calibration.layers.items():
        candidate = runner.answers(
            entries, {name: quantization}, track=track, description=f"sensitivity: {name}"
        )
        ranking.append(_sensitivity(name, reference, candidate))
    return sorted(ranking, key=lambda layer: layer.first_step + layer.last_step, reverse=True)


def _sensitivity(name: str, reference: ParityVectors, candidate: ParityVectors) -> LayerSensitivity:
    report = compare(reference, candidate)
    worst_mode = max(report.modes, key=lambda mode: mode.lost)
    cosines = report.carry.by_step
    return LayerSensitivity(
        layer=name,
        first_step=1 - cosines[0],
        last_step=1 - cosines[-1],
        halting=report.halting.q_halt_difference,
        lost=worst_mode.lost,
        gained=worst_mode.gained,
    )
