"""Write one target's step graph into a bundle, and make its record for the manifest."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from trm_edge.bundle_writer import BundleWriter
from trm_edge.manifest import FloatLayer, TargetRecord
from trm_edge.profile import Precision, TargetProfile
from trm_edge.targets.simulation import TargetSimulator, simulated_accuracy
from trm_edge.targets.target_graphs import GraphInputs, target_graph

HEADS = ("lm_head", "q_head")
_HEADS_REASON = "heads and embedding are a thousandth of the work and decide the answer"


def step_path(profile: TargetProfile) -> str:
    """Path of a target's step graph inside a bundle.

    Args:
        profile: the target.
    """
    return f"{profile.name}/step.onnx"


def float_heads(precision: Precision) -> tuple[FloatLayer, ...]:
    """The heads, which stay in float32 in every precision below it.

    Args:
        precision: of the graphs.
    """
    if precision == "fp32":
        return ()
    return tuple(FloatLayer(layer, _HEADS_REASON) for layer in HEADS)


def write_target(
    writer: BundleWriter,
    graph_inputs: GraphInputs,
    profile: TargetProfile,
    float_layers: Sequence[FloatLayer],
    simulator: TargetSimulator,
) -> TargetRecord:
    """Write a target's step graph and measure its simulated accuracy.

    Args:
        writer: of the bundle.
        graph_inputs: model and quantization.
        profile: the target.
        float_layers: layers that stay in float, the heads included.
        simulator: measures what the quantization costs.

    Raises:
        CalibrationError: a scale does not fit into the type that the target computes in.
        ExportError: a weight does not, or the target's TensorRT could not parse the graph.
    """
    graph = target_graph(graph_inputs, profile)
    path = step_path(profile)
    onnx.save(graph, writer.path(path))
    simulated = None
    if graph_inputs.qtype is not None:
        simulated = simulated_accuracy(simulator.report(profile))
    return TargetRecord(
        precision=graph_inputs.precision,
        carry=profile.carry_of(graph_inputs.precision),
        opset=graph.opset_import[0].version,
        step=path,
        float_layers=tuple(float_layers),
        simulated=simulated,
        profile=profile,
        noise=graph_inputs.noise_on(profile),
    )
