"""One step graph for each target, all from the same calibration.

Targets differ in what the carry and everything that is not quantized is computed in, and in how
INT8 inputs are rounded. What a graph answers is known before any GPU saw it: its twin, the same
quantization in float32, runs in ONNX Runtime on the CPU.
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
from trm_edge.calibration.recipe import QuantizedType, activations_of
from trm_edge.evaluation.parity import compare
from trm_edge.evaluation.vectors import ParityVectors, record_vectors
from trm_edge.export.model import TinyRecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.manifest import TwinAccuracy
from trm_edge.progress import Track, silent
from trm_edge.step import CarryType
from trm_edge.targets.parser import require_readable
from trm_edge.targets.profile import Precision, TargetProfile


@dataclass(frozen=True)
class Ingredients:
    """What every target's graph is made from."""

    model: TinyRecursiveModel  # equalised, where it was calibrated
    precision: Precision
    kind: QuantizedType | None  # None: nothing is quantized
    layers: Mapping[str, LayerQuantization]


def target_graph(ingredients: Ingredients, profile: TargetProfile) -> onnx.ModelProto:
    """The step graph for a target.

    Raises:
        CalibrationError: a scale does not fit into the type that the target computes in.
        ExportError: a weight does not.
    """
    graph = _graph(ingredients, profile, profile.carry_of(ingredients.precision))
    if profile.engine == "onnxruntime":
        return fp8_in_float32(graph)
    require_readable(graph, profile)
    return graph


def _graph(ingredients: Ingredients, profile: TargetProfile, carry: CarryType) -> onnx.ModelProto:
    if profile.engine == "onnxruntime" and carry == "float32":
        graph = onnxruntime_step_graph(ingredients.model)
    else:
        graph = step_graph(ingredients.model, carry)
    if ingredients.kind is None:
        return graph
    layers = dict(ingredients.layers)
    if ingredients.precision == "int8":
        layers = {
            name: replace(how, activations=activations_of(name, profile.int8_ranges))
            for name, how in layers.items()
        }
    return quantize_graph(graph, layers, ingredients.kind)


class Twins:
    """Measures the float32 twins of targets' graphs; those that are alike, once.

    Args:
        puzzle_embeddings: (N, E) float32, where the model has a table.
        reference: the float32 answers to held-out puzzles.
    """

    def __init__(
        self,
        ingredients: Ingredients,
        puzzle_embeddings: NDArray[float32] | None,
        reference: ParityVectors,
        track: Track = silent,
    ) -> None:
        self._ingredients = ingredients
        self._table = puzzle_embeddings
        self._reference = reference
        self._track = track
        self._known: dict[str, TwinAccuracy] = {}

    def accuracy(self, profile: TargetProfile) -> TwinAccuracy:
        """What the target's twin answers, held against the reference."""
        key = profile.int8_ranges if self._ingredients.precision == "int8" else ""
        if key not in self._known:
            self._known[key] = self._measure(profile)
        return self._known[key]

    def _measure(self, profile: TargetProfile) -> TwinAccuracy:
        reference = self._reference
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "twin.onnx"
            onnx.save(fp8_in_float32(_graph(self._ingredients, profile, "float32")), path)
            candidate = record_vectors(
                OnnxRuntimeBackend(path, self._ingredients.model.config),
                self._table,
                reference.puzzles(),
                reference.labels,
                carry_puzzles=len(reference.carry_positions),
                track=self._track,
                what=f"float32 twin of {profile.name}",
            )
        report = compare(reference, candidate)
        fixed, adaptive = report.modes
        cosines = report.carry.by_step
        return TwinAccuracy(
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
