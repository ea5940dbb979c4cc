"""One step graph for each target, all from the same calibration.

Targets differ in what the carry and everything that is not quantized is computed in, and in how
INT8 inputs are rounded. What a graph answers is known before any GPU runs it: its
simulated accuracy is that of the same quantization, computed in float32 by ONNX Runtime on the CPU.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from numpy import float32
from numpy.typing import NDArray

from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import QType, activations_of
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.manifest import SimulatedAccuracy
from trm_edge.profile import Precision, TargetProfile
from trm_edge.progress import Track, silent
from trm_edge.step import CarryType
from trm_edge.targets.parser import require_readable


@dataclass(frozen=True)
class GraphInputs:
    """What every target's graph is made from."""

    model: TinyRecursiveModel  # equalised, where it was calibrated
    precision: Precision
    qtype: QType | None  # None: nothing is quantized
    layers: Mapping[str, LayerQuantization]


def target_graph(graph_inputs: GraphInputs, profile: TargetProfile) -> onnx.ModelProto:
    """The step graph for a target.

    Raises:
        CalibrationError: a scale does not fit into the type that the target computes in.
        ExportError: a weight does not.
    """
    graph = _graph(graph_inputs, profile, profile.carry_of(graph_inputs.precision))
    if profile.engine == "onnxruntime":
        return fp8_in_float32(graph)
    require_readable(graph, profile)
    return graph


def _graph(graph_inputs: GraphInputs, profile: TargetProfile, carry: CarryType) -> onnx.ModelProto:
    if profile.engine == "onnxruntime" and carry == "float32":
        graph = onnxruntime_step_graph(graph_inputs.model)
    else:
        graph = step_graph(graph_inputs.model, carry)
    if graph_inputs.qtype is None:
        return graph
    layers = dict(graph_inputs.layers)
    if graph_inputs.precision == "int8":
        layers = {
            name: replace(how, activations=activations_of(name, profile.int8_ranges))
            for name, how in layers.items()
        }
    return quantize_graph(graph, layers, graph_inputs.qtype)


class TargetSimulator:
    """Measures the simulated accuracy of target graphs, once for graphs that are alike.

    Args:
        puzzle_embeddings: (N, E) float32, where the model has a table.
        reference: the float32 answers to held-out puzzles.
    """

    def __init__(
        self,
        graph_inputs: GraphInputs,
        puzzle_embeddings: NDArray[float32] | None,
        reference: ParityVectors,
        track: Track = silent,
    ) -> None:
        self._graph_inputs = graph_inputs
        self._table = puzzle_embeddings
        self._reference = reference
        self._track = track
        self._known: dict[str, SimulatedAccuracy] = {}

    def accuracy(self, profile: TargetProfile) -> SimulatedAccuracy:
        """What the target's twin answers, held against the reference."""
        key = profile.int8_ranges if self._graph_inputs.precision == "int8" else ""
        if key not in self._known:
            self._known[key] = self._measure(profile)
        return self._known[key]

    def _measure(self, profile: TargetProfile) -> SimulatedAccuracy:
        reference = self._reference
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "simulated.onnx"
            onnx.save(fp8_in_float32(_graph(self._graph_inputs, profile, "float32")), path)
            candidate = record_vectors(
                OnnxRuntimeBackend(path, self._graph_inputs.model.config),
                self._table,
                reference.puzzles(),
                reference.labels,
                carry_puzzles=len(reference.carry_positions),
                track=self._track,
                description=f"simulating {profile.name}",
            )
        report = compare(reference, candidate)
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
        )
