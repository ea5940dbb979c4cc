"""The quantizing part of an export: calibrate or reuse, fine-tune, keep the limit of accuracy."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from trm_edge import records
from trm_edge.calibration.accuracy_control import ControlledAccuracy, control_accuracy
from trm_edge.calibration.cache import SavedCalibration, read_calibration
from trm_edge.calibration.calibrate import calibrate
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qat.finetune import finetune
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import QType
from trm_edge.calibration.sensitivity import QuantizedRunner, rank_layers
from trm_edge.errors import CalibrationWarning
from trm_edge.evaluation import ranking as layer_ranking
from trm_edge.evaluation.ranking import LayerRanking, LayerSensitivity
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.files import write_text
from trm_edge.manifest import FloatLayer
from trm_edge.progress import Track, silent
from trm_edge.puzzle_table import PuzzleTable
from trm_edge.targets.puzzle_sources import PuzzleSet, calibration_puzzles
from trm_edge.targets.request import ExportRequest

logger = logging.getLogger(__name__)

SENSITIVITY_PUZZLES = 32  # to rank layers on, where no limit of accuracy asks for a ranking


@dataclass(frozen=True)
class QuantizedStep:
    """The result of quantization.

    Args:
        saved: the calibration, as ``calibration.json`` holds it.
        layers: quantization by layer name, without the layers that were returned to float.
        float_layers: the layers that were returned to float; the heads are never quantized.
        sensitivity: content of ``sensitivity.json``, or None where the layers were not ranked.
    """

    saved: SavedCalibration
    layers: Mapping[str, LayerQuantization]
    float_layers: tuple[FloatLayer, ...]
    sensitivity: str | None = None


@dataclass(frozen=True)
class CalibrationInputs:
    """What a calibration reads; it is read before any work, which may take minutes.

    Args:
        puzzle_set: puzzles to calibrate on.
        training_set: puzzles to fine-tune on; None without a fine-tuning.
        saved: the calibration that is reused; None: there is none yet.
    """

    puzzle_set: PuzzleSet
    training_set: PuzzleSet | None = None
    saved: SavedCalibration | None = None


def read_calibration_inputs(
    request: ExportRequest, qtype: QType, held_out: PuzzleSet
) -> CalibrationInputs:
    """Read the puzzles to calibrate on and the calibration to reuse.

    Args:
        request: checkpoint, recipe and data.
        qtype: quantized element type.
        held_out: puzzles to measure accuracy on, which are not calibrated on.

    Raises:
        CalibrationError: there is nothing to calibrate on, or a saved calibration does not fit.
        PuzzleError: a line of the puzzles is not a puzzle.
    """
    recipe = request.calibration_recipe(qtype)
    task = request.task
    puzzle_set = calibration_puzzles(
        task, request.calibration, request.dataset, held_out, recipe.puzzles
    )
    with _warnings_logged():
        puzzle_set.warn_where_weak()
    if request.qat_steps:
        training_set = calibration_puzzles(task, request.calibration, request.dataset, held_out)
        return CalibrationInputs(puzzle_set, training_set)
    cache = request.calibration_cache
    if cache is None or not cache.is_file():
        return CalibrationInputs(puzzle_set)
    checkpoint = request.checkpoint
    saved = read_calibration(cache, checkpoint.model, checkpoint.sha256, qtype, recipe)
    logger.info("calibration read from %s (%s)", cache, saved.source)
    return CalibrationInputs(puzzle_set, saved=saved)


def quantized_step(
    request: ExportRequest,
    qtype: QType,
    table: PuzzleTable | None,
    inputs: CalibrationInputs,
    held_out: PuzzleSet,
    reference: ParityVectors,
    *,
    track: Track = silent,
) -> QuantizedStep:
    """Quantize the request's checkpoint.

    Args:
        request: checkpoint, recipe, limits and data.
        qtype: quantized element type.
        table: puzzle embeddings (N, E) as the bundle stores them; None where the model has none.
        inputs: puzzles to calibrate on, or a calibration to reuse.
        held_out: puzzles to measure accuracy on.
        reference: the float32 answers to the held-out puzzles.
        track: reports long steps.

    Raises:
        CalibrationError: a limit of accuracy cannot be met.
        OutputError: the calibration cache cannot be written.
    """
    recipe = request.calibration_recipe(qtype)
    puzzle_set = inputs.puzzle_set
    with _warnings_logged():
        if inputs.saved is not None:
            saved = inputs.saved
        elif inputs.training_set is not None:
            saved = _fine_tune(request, qtype, inputs.training_set, puzzle_set, track)
        else:
            saved = _calibrate(request, qtype, puzzle_set, track)
    layers = {}
    float_by_recipe = []
    for name, quantization in saved.calibration.layers.items():
        if recipe.keeps_in_float(name):
            float_by_recipe.append(FloatLayer(name, "the recipe keeps it in float"))
        else:
            layers[name] = quantization
    if request.max_drop is None and not request.sensitivity:
        return QuantizedStep(saved, layers, tuple(float_by_recipe))
    calibration = replace(saved.calibration, layers=dict(layers))
    runner = QuantizedRunner(calibration, table)
    if request.max_drop is None:
        return QuantizedStep(
            saved, layers, tuple(float_by_recipe), _sensitivity(runner, puzzle_set, track)
        )
    controlled = control_accuracy(
        runner, reference, held_out.entries, puzzle_set.entries, request.max_drop, track
    )
    returned = _returned_layers(controlled, request.max_drop)
    for float_layer in returned:
        del layers[float_layer.layer]
    float_layers = (*float_by_recipe, *returned)
    _log_controlled(controlled, len(float_layers), len(saved.calibration.layers))
    sensitivity = None
    if controlled.ranking:
        sensitivity = _encode(controlled.ranking, len(puzzle_set.entries))
    elif request.sensitivity:
        sensitivity = _sensitivity(runner, puzzle_set, track)
    return QuantizedStep(saved, layers, float_layers, sensitivity)


def _returned_layers(controlled: ControlledAccuracy, max_drop: float) -> tuple[FloatLayer, ...]:
    float_layers = []
    for layer in controlled.returned:
        reason = (
            f"alone it moves the carry by {layer.first_step:.4f} at the first step and "
            f"{layer.last_step:.4f} at the last (1 - cosine); returned to float to lose at most "
            f"{max_drop:g} points"
        )
        float_layers.append(FloatLayer(layer.layer, reason))
    return tuple(float_layers)


def _log_controlled(controlled: ControlledAccuracy, in_float: int, layers: int) -> None:
    report = controlled.report
    logger.info(
        "exact match changes by %+.2f points, at most %.2f are lost by the 95 %% interval, on %d "
        "held-out puzzles; %d of %d layers stay in float",
        -report.worst_drop,
        report.drop_bound,
        report.puzzles,
        in_float,
        layers,
    )


def _sensitivity(runner: QuantizedRunner, puzzle_set: PuzzleSet, track: Track) -> str:
    """Rank the layers on the first calibration puzzles."""
    entries = puzzle_set.entries[:SENSITIVITY_PUZZLES]
    return _encode(rank_layers(runner, entries, track), len(entries))


def _encode(ranking: Sequence[LayerSensitivity], puzzles: int) -> str:
    return records.encode(LayerRanking(puzzles, tuple(ranking)), layer_ranking.FORMAT)


def _calibrate(
    request: ExportRequest, qtype: QType, puzzle_set: PuzzleSet, track: Track
) -> SavedCalibration:
    """Calibrate, and save the calibration where the request says so."""
    checkpoint = request.checkpoint
    cache = request.calibration_cache
    recipe = request.calibration_recipe(qtype)
    calibration = calibrate(
        checkpoint.model, checkpoint.puzzle_embeddings, puzzle_set.puzzles, qtype, recipe, track
    )
    saved = SavedCalibration(calibration, checkpoint.sha256, puzzle_set.source)
    coverage = calibration.coverage
    logger.info(
        "calibrated on %d carries of %d puzzles (%s)",
        coverage.carries,
        coverage.puzzles,
        puzzle_set.source,
    )
    if cache is not None:
        write_text(cache, saved.to_json())
        logger.info("calibration written to %s", cache)
    return saved


def _fine_tune(
    request: ExportRequest,
    qtype: QType,
    training_set: PuzzleSet,
    puzzle_set: PuzzleSet,
    track: Track,
) -> SavedCalibration:
    """Calibrate, fine-tune on all available puzzles, and calibrate the fine-tuned model."""
    checkpoint = request.checkpoint
    recipe = request.calibration_recipe(qtype)
    table = checkpoint.puzzle_embeddings
    finetune_recipe = FinetuneRecipe(request.qat_steps)
    calibration = calibrate(checkpoint.model, table, puzzle_set.puzzles, qtype, recipe, track)
    state = request.qat_state
    if state is not None and state.exists():
        logger.info("continuing the fine-tuning in %s", state)
    model = finetune(
        calibration.model,
        table,
        training_set.entries,
        qtype,
        recipe,
        finetune_recipe,
        state=state,
        track=track,
    )
    logger.info(
        "fine-tuned for %d steps on %d puzzles (%s)",
        finetune_recipe.steps,
        len(training_set.entries),
        training_set.source,
    )
    tuned = calibrate(model, table, puzzle_set.puzzles, qtype, recipe, track)
    return SavedCalibration(tuned, checkpoint.sha256, puzzle_set.source, finetune_recipe)


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """Log calibration warnings, each once; pass other warnings on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CalibrationWarning)
        yield
    logged = set()
    for warning in caught:
        message = str(warning.message)
        if warning.category is not CalibrationWarning:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
        elif message not in logged:
            logged.add(message)
            logger.warning("%s", message)
