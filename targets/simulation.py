"""Simulated accuracy of a target: known before any GPU runs its graph.

It is the accuracy of the same quantization, computed in float32 by ONNX Runtime on the CPU.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.manifest import SimulatedAccuracy
from trm_edge.profile import TargetProfile
from trm_edge.progress import Track, silent
from trm_edge.targets.target_graphs import GraphInputs, graph_with_carry


class TargetSimulator:
    """Measures the simulated accuracy of targets, once for targets with equal quantization.

    Args:
        graph_inputs: model and quantization.
        puzzle_embeddings: the table (N, E) float32, or None where the model has none.
        reference: the float32 answers to held-out puzzles.
        track: reports the puzzles.
    """

    def __init__(
        self,
        graph_inputs: GraphInputs,
        puzzle_embeddings: NDArray[np.float32] | None,
        reference: ParityVectors,
        track: Track = silent,
    ) -> None:
        self._graph_inputs = graph_inputs
        self._puzzle_embeddings = puzzle_embeddings
        self._reference = reference
        self._track = track
        self._measured: dict[str, SimulatedAccuracy] = {}

    def accuracy(self, profile: TargetProfile) -> SimulatedAccuracy:
        """Compare the simulated graph of a target with the reference.

        Args:
            profile: the target.
        """
        key = ""
        if self._graph_inputs.precision == "int8":
            key = self._graph_inputs.activations_on(profile)
        if key not in self._measured:
            self._measured[key] = self._measure(profile)
        return self._measured[key]

    def _measure(self, profile: TargetProfile) -> SimulatedAccuracy:
        reference = self._reference
        graph = fp8_in_float32(graph_with_carry(self._graph_inputs, profile, "float32"))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "simulated.onnx"
            onnx.save(graph, path)
            candidate = record_vectors(
                OnnxRuntimeBackend(path, self._graph_inputs.model.config),
                self._puzzle_embeddings,
                reference.puzzles(),
                reference.labels,
                carry_puzzles=len(reference.carry_positions),
                track=self._track,
                description=f"simulating {profile.name}",
            )
        return _simulated_accuracy(compare(reference, candidate))


def _simulated_accuracy(report: ParityReport) -> SimulatedAccuracy:
    fixed = report.fixed
    adaptive = report.adaptive
    cosines = report.carry.by_step
    return SimulatedAccuracy(
        puzzles=report.puzzles,
        exact_fixed=fixed.exact_candidate,
        exact_adaptive=adaptive.exact_candidate,
        drop_fixed=fixed.drop,
        drop_adaptive=adaptive.drop,
        drop_bound=report.drop_bound,
        halting_agreement=report.halting.agreement,
        carry_cosine_first=cosines[0],
        carry_cosine_last=cosines[-1],
        labelled=report.labelled,
    )
