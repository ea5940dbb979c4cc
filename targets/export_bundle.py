"""From a checkpoint to a bundle: the steps in order, each told to the caller as it is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx

from trm_edge import __version__
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.bundle import CALIBRATION, PARITY, PUZZLE_EMBEDDINGS, Bundle, BundleWriter
from trm_edge.calibration.calibrate import Calibration, calibrate
from trm_edge.calibration.qdq import quantize_graph
from trm_edge.calibration.recipe import CalibrationRecipe, Precision8
from trm_edge.evaluation.vectors import labels_of, record_vectors
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.export.step_graph import OPSET, step_graph
from trm_edge.export.verify import verify_step_graph
from trm_edge.manifest import CheckpointRecord, FloatLayer, Limits, Manifest, TargetRecord
from trm_edge.progress import Track, silent
from trm_edge.step import CarryType
from trm_edge.targets.profile import Precision, TargetProfile
from trm_edge.targets.puzzle_sources import PARITY_PUZZLES, calibration_puzzles, held_out_puzzles
from trm_edge.tasks.base import Task

_HEADS_REASON = "heads and embedding are a thousandth of the work and decide the answer"
_VERIFIED_PUZZLES = 4


@dataclass(frozen=True)
class ExportRequest:
    """What is asked of an export."""

    checkpoint: Checkpoint
    task: Task
    precision: Precision
    targets: tuple[TargetProfile, ...]
    dataset: Path | None = None
    calibration: Path | None = None
    recipe: CalibrationRecipe | None = None  # the precision's default
    limits: Limits = field(default_factory=Limits)


def export_bundle(
    request: ExportRequest,
    output: Path,
    *,
    force: bool = False,
    track: Track = silent,
    say: Callable[[str], None] = lambda text: None,
) -> Bundle:
    """Write a bundle to ``output``, whole or not at all.

    Raises:
        ConfigError: a target does not have the precision.
        ExportError: the graph does not compute what the checkpoint computes.
        CalibrationError: there are no puzzles to calibrate on, or a range is no range.
        OutputExistsError: ``output`` is there already.
    """
    for target in request.targets:
        target.require(request.precision)
    checkpoint, config = request.checkpoint, request.checkpoint.config
    table = checkpoint.puzzle_embeddings
    held_out = held_out_puzzles(request.task, request.dataset, PARITY_PUZZLES)
    with BundleWriter(output, force=force) as writer:
        reference = writer.path("reference.onnx")
        onnx.save(step_graph(checkpoint.model), reference)
        worst = verify_step_graph(
            reference, checkpoint.model, table, held_out.puzzles[:_VERIFIED_PUZZLES], track
        )
        say(
            f"step graph equals PyTorch over {config.halt_max_steps} steps "
            f"(largest difference {worst:.1e})"
        )
        vectors = record_vectors(
            OnnxRuntimeBackend(reference, config),
            table,
            held_out.puzzles,
            labels_of(held_out.entries, config.seq_len),
            track=track,
            what="float32 answers to held-out puzzles",
        )
        vectors.save(writer.path(PARITY))
        say(f"float32 answers to {len(vectors)} puzzles kept ({held_out.source})")
        calibration = None
        if request.precision in ("int8", "fp8"):
            precision = _precision8(request.precision)
            recipe = request.recipe or CalibrationRecipe.default(precision)
            chosen = calibration_puzzles(
                request.task, request.calibration, request.dataset, held_out, recipe.puzzles
            )
            calibration = calibrate(
                checkpoint.model,
                table,
                chosen.puzzles,
                precision,
                recipe,
                track,
            )
            content = calibration.to_dict(checkpoint.sha256) | {"source": chosen.source}
            writer.path(CALIBRATION).write_text(json.dumps(content, indent=1) + "\n")
            seen = calibration.extent
            say(f"calibrated on {seen.carries} carries of {seen.puzzles} puzzles ({chosen.source})")
        graph, carry = _precise_graph(request, calibration)
        for target in request.targets:
            onnx.save(graph, writer.path(f"{target.name}/step.onnx"))
        if table is not None:
            np.save(writer.path(PUZZLE_EMBEDDINGS), table)
        reference.unlink()
        record = TargetRecord(
            precision=request.precision,
            carry=carry,
            opset=OPSET,
            step="",
            float_layers=_float_layers(request.precision),
        )
        manifest = Manifest(
            model=config,
            task=request.task.name,
            checkpoint=_checkpoint_record(checkpoint),
            targets={
                target.name: _with_step(record, f"{target.name}/step.onnx")
                for target in request.targets
            },
            files=writer.records(),
            limits=request.limits,
            tools=_tools(),
        )
        return writer.finish(manifest)


def _precise_graph(
    request: ExportRequest, calibration: Calibration | None
) -> tuple[onnx.ModelProto, CarryType]:
    model = request.checkpoint.model
    if calibration is not None:
        graph = quantize_graph(
            step_graph(calibration.model), calibration.layers, calibration.precision
        )
        return graph, "float32"
    carry: CarryType = "float16" if request.precision == "fp16" else "float32"
    return step_graph(model, carry), carry


def _precision8(precision: Precision) -> Precision8:
    return "fp8" if precision == "fp8" else "int8"


def _float_layers(precision: Precision) -> tuple[FloatLayer, ...]:
    if precision == "fp32":
        return ()
    return tuple(FloatLayer(layer, _HEADS_REASON) for layer in ("lm_head", "q_head"))


def _with_step(record: TargetRecord, step: str) -> TargetRecord:
    return TargetRecord(record.precision, record.carry, record.opset, step, record.float_layers)


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
