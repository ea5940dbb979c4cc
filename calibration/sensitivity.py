"""Which layers cost accuracy: each is quantized alone, and what that does is measured.

Ranking is by trajectories, on puzzles to calibrate on: a few flipped answers say little, while the
carry of every step moves by an amount that can be compared. What is held out stays untouched, to
judge the outcome by.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.calibrate import Calibration
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.ranking import LayerSensitivity
from trm_edge.evaluation.vectors import ParityVectors, labels_of, record_vectors
from trm_edge.export.step_graph import step_graph
from trm_edge.progress import Track, silent
from trm_edge.tasks.base import Entry


class QuantizedRunner:
    """Answers of the calibrated model with some of its layers quantized, by ONNX Runtime."""

    def __init__(
        self, calibration: Calibration, puzzle_embeddings: NDArray[np.float32] | None
    ) -> None:
        self.calibration = calibration
        self.puzzle_embeddings = puzzle_embeddings
        self._float = step_graph(calibration.model)

    def graph(self, layers: Mapping[str, LayerQuantization]) -> onnx.ModelProto:
        return quantize_graph(self._float, layers, self.calibration.qtype)

    def answers(
        self,
        entries: Sequence[Entry],
        layers: Mapping[str, LayerQuantization],
        *,
        track: Track = silent,
        what: str = "answering",
        carry_puzzles: int | None = None,
    ) -> ParityVectors:
        """Run puzzles through all steps; ``carry_puzzles`` as in ``record_vectors``."""
        config = self.calibration.model.config
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "step.onnx"
            onnx.save(self.graph(layers), path)
            return record_vectors(
                OnnxRuntimeBackend(path, config),
                self.puzzle_embeddings,
                [entry.puzzle for entry in entries],
                labels_of(entries, config),
                carry_puzzles=len(entries) if carry_puzzles is None else carry_puzzles,
                track=track,
                description=what,
            )


def rank_layers(
    runner: QuantizedRunner, entries: Sequence[Entry], track: Track = silent
) -> list[LayerSensitivity]:
    """Every layer of the calibration, the one that moves the carries most first."""
    layers = runner.calibration.layers
    reference = runner.answers(entries, {}, track=track, what="sensitivity: float32")
    found = []
    for name, how in layers.items():
        candidate = runner.answers(entries, {name: how}, track=track, what=f"sensitivity: {name}")
        report = compare(reference, candidate)
        worst = max(report.modes, key=lambda mode: mode.lost)
        cosines = report.carry.by_step
        found.append(
            LayerSensitivity(
                layer=name,
                first_step=1 - cosines[0],
                last_step=1 - cosines[-1],
                halting=report.halting.q_halt_difference,
                lost=worst.lost,
                gained=worst.gained,
            )
        )
    return sorted(found, key=lambda one: one.first_step + one.last_step, reverse=True)
