"""Simulated accuracy of a target: known at export, before any device runs its graph.

It is the accuracy of the same quantization, computed in float32 by ONNX Runtime's fused operators,
as the `cpu` target computes it. So targets whose inputs are rounded alike have the same figures,
however many of them are exported together.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import onnx

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.evaluation.parity import ParityReport, compare
from trm_edge.evaluation.recording import record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.manifest import CPU, SimulatedAccuracy
from trm_edge.profile import TargetProfile
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.target_graphs import GraphInputs, graph_with_carry


class TargetSimulator:
    """Measures the simulated accuracy of targets, once for targets with equal quantization.

    Args:
        graph_inputs: model and quantization.
        puzzle_embeddings: the table (N, E), or None where the model has none.
        reference: the float32 answers to held-out puzzles.
        track: reports the puzzles.
    """

    def __init__(
        self,
        graph_inputs: GraphInputs,
        puzzle_embeddings: PuzzleTable | None,
        reference: ParityVectors,
        track: Track = silent,
    ) -> None:
        self._graph_inputs = graph_inputs
        self._puzzle_embeddings = puzzle_embeddings
        self._reference = reference
        self._track = track
        self._reports: dict[str, ParityReport] = {}  # by rounding of the inputs

    def report(self, profile: TargetProfile) -> ParityReport:
        """Compare the simulated graph of a target with the reference.

        Args:
            profile: the target.

        Returns:
            The same object for targets with equal quantization.
        """
        key = ""
        if self._graph_inputs.precision == "int8":
            key = self._graph_inputs.activations_on(profile)
        if key not in self._reports:
            self._reports[key] = self._measure(profile)
        return self._reports[key]

    def _measure(self, profile: TargetProfile) -> ParityReport:
        reference = self._reference
        on_cpu = replace(load_profile(CPU), int8_ranges=profile.int8_ranges)
        graph = fp8_in_float32(graph_with_carry(self._graph_inputs, on_cpu, "float32"))
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
        return compare(reference, candidate)


def simulated_accuracy(report: ParityReport) -> SimulatedAccuracy:
    """Select the figures of a comparison that a manifest keeps.

    Args:
        report: of a simulated graph against float32.
    """
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
