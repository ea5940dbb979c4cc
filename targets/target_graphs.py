"""One step graph for each target, all from the same calibration.

Targets differ in the type of the carry and of everything that is not quantized, and in how INT8
inputs are rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx

from trm_edge.calibration.fp8_arithmetic import fp8_in_float32
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import Activations, QType, activations_of
from trm_edge.export.model import RecursiveModel
from trm_edge.export.onnxruntime_graph import onnxruntime_step_graph
from trm_edge.export.step_graph import step_graph
from trm_edge.profile import Precision, TargetProfile
from trm_edge.step import CarryType
from trm_edge.targets.parser import require_readable


@dataclass(frozen=True)
class GraphInputs:
    """The inputs of every target's graph.

    Args:
        model: the float32 model, equalised where it was calibrated.
        precision: of the graphs.
        qtype: quantized element type, or None where nothing is quantized.
        layers: quantization by layer name; layers that stay in float are absent.
        activations: rounding of INT8 inputs, as a recipe asks for it; each target's own where None.
        noise: give the graphs of GPU targets inputs for noise.
    """

    model: RecursiveModel
    precision: Precision
    qtype: QType | None
    layers: Mapping[str, LayerQuantization]
    activations: Activations | None = None
    noise: bool = False

    def noise_on(self, profile: TargetProfile) -> bool:
        """Whether a target's graph has inputs for noise; on a CPU the driver writes the carry.

        Args:
            profile: the target.
        """
        return self.noise and profile.engine == "tensorrt"

    def activations_on(self, profile: TargetProfile) -> Activations:
        """Return how a target rounds INT8 inputs.

        Args:
            profile: the target.
        """
        return self.activations or profile.int8_ranges


def target_graph(graph_inputs: GraphInputs, profile: TargetProfile) -> onnx.ModelProto:
    """Make the step graph for a target.

    Args:
        graph_inputs: model and quantization.
        profile: the target.

    Raises:
        CalibrationError: a scale does not fit into the type that the target computes in.
        ExportError: a weight does not, or the target's TensorRT could not parse the graph.
    """
    graph = graph_with_carry(graph_inputs, profile, profile.carry_of(graph_inputs.precision))
    if profile.engine == "onnxruntime":
        return fp8_in_float32(graph)
    require_readable(graph, profile)
    return graph


def graph_with_carry(
    graph_inputs: GraphInputs, profile: TargetProfile, carry: CarryType
) -> onnx.ModelProto:
    """Make a target's step graph with a carry type of the caller's choice.

    Args:
        graph_inputs: model and quantization.
        profile: the target.
        carry: type of the carry and of everything that is not quantized.

    Raises:
        CalibrationError: a scale does not fit into the carry's type.
        ExportError: a weight does not.
    """
    if profile.engine == "onnxruntime" and carry == "float32":
        graph = onnxruntime_step_graph(graph_inputs.model)
    else:
        graph = step_graph(graph_inputs.model, carry, noise=graph_inputs.noise_on(profile))
    if graph_inputs.qtype is None:
        return graph
    layers = dict(graph_inputs.layers)
    if graph_inputs.precision == "int8":
        for name, quantization in layers.items():
            activations = activations_of(name, graph_inputs.activations_on(profile))
            layers[name] = replace(quantization, activations=activations)
    return quantize_graph(graph, layers, graph_inputs.qtype)
