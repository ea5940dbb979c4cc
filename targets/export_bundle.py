"""Export a checkpoint to a bundle: the steps in order; each is logged."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import onnx

from trm_edge import __version__, records
from trm_edge.backends.onnxruntime import OnnxRuntimeBackend
from trm_edge.bundle import (
    CALIBRATION,
    FLOOR,
    PARITY,
    SENSITIVITY,
    Bundle,
)
from trm_edge.bundle_writer import BundleWriter
from trm_edge.calibration.accuracy_control import require_enough_puzzles
from trm_edge.calibration.recipe import Activations
from trm_edge.errors import CalibrationError
from trm_edge.evaluation.floor import FORMAT as FLOOR_FORMAT
from trm_edge.evaluation.floor import measure_floor
from trm_edge.evaluation.recording import labels_of, record_vectors
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.files import check_writable
from trm_edge.manifest import CheckpointRecord, FloatLayer, HubRecord, Manifest
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.targets.limit_warnings import warn_where_limits_break
from trm_edge.targets.profiles import load_profile
from trm_edge.targets.puzzle_rows import write_table
from trm_edge.targets.puzzle_sources import (
    CONTROL_PUZZLES,
    PARITY_PUZZLES,
    PuzzleSet,
    held_out_puzzles,
)
from trm_edge.targets.quantization import (
    CalibrationInputs,
    quantized_step,
    read_calibration_inputs,
)
from trm_edge.targets.reference_graph import write_reference_graph
from trm_edge.targets.request import ExportRequest
from trm_edge.targets.simulation import TargetSimulator
from trm_edge.targets.target_graphs import GraphInputs, target_graph
from trm_edge.targets.target_record import float_heads, step_path, write_target

logger = logging.getLogger(__name__)

FLOAT32 = "float32/step.onnx"
_NEXT_TO_NONE = 0.02  # share of held-out puzzles that float32 solves, up to which export warns
_TOOLS = ("torch", "onnx", "onnxruntime", "nvidia-modelopt", "numpy")


def export_bundle(
    request: ExportRequest,
    output: Path,
    *,
    force: bool = False,
    track: Track = silent,
) -> Bundle:
    """Write a bundle, whole or not at all.

    Args:
        request: checkpoint, precision, targets and data.
        output: folder of the bundle.
        force: replace an existing bundle.
        track: reports long steps.

    Raises:
        ExportError: a graph does not compute what the checkpoint computes, or cannot be made.
        CalibrationError: there are no puzzles to calibrate on, the calibration cannot be reused,
            or the limit of accuracy cannot be met.
        PuzzleError: a line of the puzzles is not a puzzle.
        OutputError: ``output`` or the calibration cache cannot be written.
        OutputExistsError: ``output`` exists already.
    """
    cache = request.calibration_cache
    if cache is not None and not cache.is_file():
        check_writable(cache)
    checkpoint = request.checkpoint
    request = replace(request, task=request.task.with_row_names(checkpoint.row_names))
    table = checkpoint.puzzle_embeddings
    count = PARITY_PUZZLES if request.max_drop is None else CONTROL_PUZZLES
    held_out = held_out_puzzles(
        request.task,
        request.dataset,
        count,
        path=request.held_out,
        seed=request.held_out_seed,
        calibration=request.calibration,
    )
    _check_held_out(request, held_out)
    inputs = None
    if request.qtype is not None:
        inputs = read_calibration_inputs(request, request.qtype, held_out)
    with BundleWriter(output, force=force) as writer:
        reference = writer.path("reference.onnx")
        write_reference_graph(checkpoint, table, reference, held_out.puzzles, track)
        vectors = _record_reference(checkpoint, reference, held_out, track)
        vectors.save(writer.path(PARITY))
        floor = measure_floor(reference, checkpoint.config, table, vectors, track=track)
        records.write(writer.path(FLOOR), floor, FLOOR_FORMAT, indent=0)
        stored_table, rows = write_table(writer.folder, checkpoint, request.row_type)
        graph_inputs, float_layers = _quantize(
            request, stored_table, inputs, held_out, vectors, writer, track
        )
        simulator = TargetSimulator(graph_inputs, stored_table, vectors, track)
        all_float_layers = (*float_layers, *float_heads(request.precision))
        targets = {}
        for profile in request.targets:
            targets[profile.name] = write_target(
                writer, graph_inputs, profile, all_float_layers, simulator
            )
        if graph_inputs.qtype is not None:
            limits = request.accuracy_limits
            warn_where_limits_break(request.targets, request.precision, simulator, limits)
        reference.unlink()
        float32 = _write_float32(request, writer)
        manifest = Manifest(
            model=checkpoint.config,
            task=request.task.name,
            checkpoint=_checkpoint_record(checkpoint),
            targets=targets,
            files=writer.records(),
            limits=request.accuracy_limits,
            tools=_tool_versions(),
            float32=float32,
            rows=rows,
        )
        checkpoint.require_unchanged()
        return writer.finish(manifest)


def _check_held_out(request: ExportRequest, held_out: PuzzleSet) -> None:
    """Say what the held-out puzzles cannot show, before any work is done.

    Raises:
        CalibrationError: a limit of accuracy is asked for that they cannot show.
    """
    if not held_out.answered:
        problem = (
            f"no held-out puzzles with known answers ({held_out.source}), so accuracy is not judged"
        )
        remedy = (
            "Give some with --held-out FILE (puzzles and solutions, as text or CSV), with "
            "--dataset FOLDER (its test split), or with --held-out-seed N (a part of the "
            "calibration puzzles)."
        )
        if request.max_drop is not None:
            raise CalibrationError(f"--max-drop needs known answers: {problem}. {remedy}")
        logger.warning("%s. %s", problem, remedy)
    elif request.max_drop is not None:
        require_enough_puzzles(len(held_out.entries), request.max_drop)


def _record_reference(
    checkpoint: Checkpoint, graph: Path, held_out: PuzzleSet, track: Track
) -> ParityVectors:
    """The float32 answers to the held-out puzzles."""
    vectors = record_vectors(
        OnnxRuntimeBackend(graph, checkpoint.config),
        checkpoint.puzzle_embeddings,
        held_out.puzzles,
        labels_of(held_out.entries, checkpoint.config),
        track=track,
        description="solving held-out puzzles in float32",
    )
    logger.info("recorded float32 answers to %d puzzles (%s)", len(vectors), held_out.source)
    if vectors.labelled:
        _report_solved(vectors)
    return vectors


def _report_solved(vectors: ParityVectors) -> None:
    """Log how many held-out puzzles float32 solves; warn where it is next to none."""
    count = len(vectors)
    solved = []
    for adaptive in (False, True):
        right = (vectors.answers(adaptive=adaptive) == vectors.labels).all(1)
        solved.append(int(right.sum()))
    fixed, adaptive_solved = solved
    logger.info(
        "float32 solves %d of %d held-out puzzles (%.1f %%) after all steps, and %d (%.1f %%) "
        "where the halting rule stops",
        fixed,
        count,
        100 * fixed / count,
        adaptive_solved,
        100 * adaptive_solved / count,
    )
    if max(solved) <= _NEXT_TO_NONE * count:
        logger.warning(
            "the float32 model itself solves next to none of them. Check that the configuration "
            "is this run's own (H_cycles, L_cycles, num_heads and pos_encodings leave no trace in "
            "the weights), that the weights are the averaged ones (ema), that the run was trained "
            "to its end, and that the held-out puzzles are of its dataset"
        )


def _quantize(
    request: ExportRequest,
    table: PuzzleTable | None,
    inputs: CalibrationInputs | None,
    held_out: PuzzleSet,
    vectors: ParityVectors,
    writer: BundleWriter,
    track: Track,
) -> tuple[GraphInputs, tuple[FloatLayer, ...]]:
    """Quantize where the precision asks for it; write the calibration and the ranking."""
    qtype = request.qtype
    if qtype is None or inputs is None:
        model = request.checkpoint.model
        return GraphInputs(model, request.precision, None, {}, noise=request.noise), ()
    step = quantized_step(request, qtype, table, inputs, held_out, vectors, track=track)
    writer.path(CALIBRATION).write_text(step.saved.to_json())
    if step.sensitivity is not None:
        writer.path(SENSITIVITY).write_text(step.sensitivity)
    model = step.saved.calibration.model
    activations: Activations | None = None
    if request.recipe is not None:
        activations = request.recipe.activations
        _log_rounding(request, activations)
    graph_inputs = GraphInputs(
        model, request.precision, qtype, step.layers, activations, request.noise
    )
    return graph_inputs, step.float_layers


def _log_rounding(request: ExportRequest, activations: Activations) -> None:
    """Tell where a recipe replaces a target's own rounding of inputs."""
    if request.precision != "int8":
        return
    for profile in request.targets:
        if profile.int8_ranges != activations:
            logger.info(
                "%s: INT8 inputs are rounded %s, as the recipe says, and not %s, its default",
                profile.name,
                activations,
                profile.int8_ranges,
            )


def _write_float32(request: ExportRequest, writer: BundleWriter) -> str | None:
    """Write the float32 graph that others are timed against, as a CPU runs it best."""
    if not request.float32:
        return None
    cpu = load_profile("cpu")
    names = [profile.name for profile in request.targets]
    if request.precision == "fp32" and cpu.name in names:
        return step_path(cpu)
    graph_inputs = GraphInputs(request.checkpoint.model, "fp32", None, {})
    onnx.save(target_graph(graph_inputs, cpu), writer.path(FLOAT32))
    return FLOAT32


def _checkpoint_record(checkpoint: Checkpoint) -> CheckpointRecord:
    hub = None
    if checkpoint.hub is not None:
        hub = HubRecord(checkpoint.hub.repository, checkpoint.hub.commit, checkpoint.hub.file)
    return CheckpointRecord(
        name=checkpoint.path.name,
        sha256=checkpoint.sha256,
        weight_type=checkpoint.weight_type,
        parameters=checkpoint.parameters,
        averaged=checkpoint.averaged,
        hub=hub,
    )


def _tool_versions() -> dict[str, str]:
    versions = {"trm-edge": __version__}
    for name in _TOOLS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
