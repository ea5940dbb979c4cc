"""From a checkpoint to a bundle: the steps in order, each told to the caller as it is done."""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx

from trm_edge import __version__
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.bundle import CALIBRATION, PARITY, PUZZLE_EMBEDDINGS, SENSITIVITY, Bundle
from trm_edge.bundle_writer import BundleWriter
from trm_edge.evaluation.vectors import labels_of, record_vectors
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.export.step_graph import step_graph
from trm_edge.export.verify import verify_step_graph
from trm_edge.manifest import CheckpointRecord, FloatLayer, Manifest, TargetRecord
from trm_edge.progress import Track, silent
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_sources import CONTROL_PUZZLES, PARITY_PUZZLES, held_out_puzzles
from trm_edge.targets.quantization import quantized_step
from trm_edge.targets.request import ExportRequest
from trm_edge.targets.target_graphs import GraphInputs, TargetSimulator, target_graph

logger = logging.getLogger(__name__)

_HEADS_REASON = "heads and embedding are a thousandth of the work and decide the answer"
_VERIFIED_PUZZLES = 4
FLOAT32 = "float32/step.onnx"


def export_bundle(
    request: ExportRequest,
    output: Path,
    *,
    force: bool = False,
    track: Track = silent,
) -> Bundle:
    """Write a bundle to ``output``, whole or not at all.

    Raises:
        ConfigError: a target does not have the precision.
        ExportError: the graph does not compute what the checkpoint computes.
        CalibrationError: there are no puzzles to calibrate on, a range is no range, or the limit
            of accuracy cannot be met.
        OutputExistsError: ``output`` is there already.
    """
    for target in request.targets:
        target.require(request.precision)
    checkpoint, config = request.checkpoint, request.checkpoint.config
    table = checkpoint.puzzle_embeddings
    count = PARITY_PUZZLES if request.max_drop is None else CONTROL_PUZZLES
    held_out = held_out_puzzles(request.task, request.dataset, count)
    with BundleWriter(output, force=force) as writer:
        reference = writer.path("reference.onnx")
        onnx.save(step_graph(checkpoint.model), reference)
        worst = verify_step_graph(
            reference, checkpoint.model, table, held_out.puzzles[:_VERIFIED_PUZZLES], track
        )
        logger.info(
            f"step graph equals PyTorch over {config.halt_max_steps} steps "
            f"(largest difference {worst:.1e})"
        )
        vectors = record_vectors(
            OnnxRuntimeBackend(reference, config),
            table,
            held_out.puzzles,
            labels_of(held_out.entries, config),
            track=track,
            description="float32 answers to held-out puzzles",
        )
        vectors.save(writer.path(PARITY))
        logger.info(f"float32 answers to {len(vectors)} puzzles kept ({held_out.source})")
        float_layers: tuple[FloatLayer, ...] = ()
        graph_inputs = GraphInputs(checkpoint.model, request.precision, None, {})
        if request.qtype is not None:
            step = quantized_step(request, request.qtype, held_out, vectors, track=track)
            float_layers = step.float_layers
            model = step.saved.calibration.model
            graph_inputs = GraphInputs(model, request.precision, request.qtype, step.layers)
            writer.path(CALIBRATION).write_text(step.saved.to_json())
            if step.sensitivity is not None:
                writer.path(SENSITIVITY).write_text(step.sensitivity)
        simulator = TargetSimulator(graph_inputs, table, vectors, track)
        targets = {}
        for profile in request.targets:
            name = f"{profile.name}/step.onnx"
            graph = target_graph(graph_inputs, profile)
            onnx.save(graph, writer.path(name))
            on_gpu = profile.engine != "onnxruntime" and request.qtype is not None
            targets[profile.name] = TargetRecord(
                precision=request.precision,
                carry=profile.carry_of(request.precision),
                opset=graph.opset_import[0].version,
                step=name,
                float_layers=(*float_layers, *_heads(request)),
                simulated=simulator.accuracy(profile) if on_gpu else None,
                profile=profile,
            )
        if table is not None:
            np.save(writer.path(PUZZLE_EMBEDDINGS), table)
        reference.unlink()
        float32 = _float32(request, writer)
        manifest = Manifest(
            model=config,
            task=request.task.name,
            checkpoint=_checkpoint_record(checkpoint),
            targets=targets,
            files=writer.records(),
            limits=request.accuracy_limits,
            tools=_tools(),
            float32=float32,
        )
        return writer.finish(manifest)


def _float32(request: ExportRequest, writer: BundleWriter) -> str | None:
    """The float32 graph that the others are timed against, as a CPU runs it best."""
    if not request.float32:
        return None
    profile = load_profile("cpu")
    if request.precision == "fp32" and profile.name in {one.name for one in request.targets}:
        return f"{profile.name}/step.onnx"
    model = request.checkpoint.model
    onnx.save(target_graph(GraphInputs(model, "fp32", None, {}), profile), writer.path(FLOAT32))
    return FLOAT32


def _heads(request: ExportRequest) -> tuple[FloatLayer, ...]:
    if request.precision == "fp32":
        return ()
    return tuple(FloatLayer(layer, _HEADS_REASON) for layer in ("lm_head", "q_head"))


def _checkpoint_record(checkpoint: Checkpoint) -> CheckpointRecord:
    return CheckpointRecord(
        name=checkpoint.path.name,
        sha256=checkpoint.sha256,
        weight_type=checkpoint.weight_type,
        parameters=sum(p.numel() for p in checkpoint.model.parameters()),
        averaged=checkpoint.averaged,
    )


def _tools() -> dict[str, str]:
    found = {"trm-edge": __version__}
    for name in ("torch", "onnx", "onnxruntime", "nvidia-modelopt", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
