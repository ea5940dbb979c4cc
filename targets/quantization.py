"""The quantizing part of an export: calibrate or reuse, fine-tune, hold the accuracy."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from trm_edge import records
from trm_edge.calibration.accuracy_control import control_accuracy
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
from trm_edge.targets.puzzle_sources import PuzzleSet, calibration_puzzles
from trm_edge.targets.request import ExportRequest

logger = logging.getLogger(__name__)

SENSITIVITY_PUZZLES = 32  # that layers are ranked on where a limit does not ask for it


@dataclass(frozen=True)
class QuantizedStep:
    """What quantization ends in."""

    saved: SavedCalibration
    layers: Mapping[str, LayerQuantization]  # without those that were returned to float
    float_layers: tuple[FloatLayer, ...]  # of the network; the heads are never quantized
    sensitivity: str | None = None  # ``sensitivity.json``, where the layers were ranked


def quantized_step(
    request: ExportRequest,
    qtype: QType,
    held_out: PuzzleSet,
    reference: ParityVectors,
    *,
    track: Track = silent,
) -> QuantizedStep:
    """Quantize the request's checkpoint.

    Args:
        reference: the float32 answers to the held-out puzzles.

    Raises:
        CalibrationError: nothing to calibrate on, a saved calibration that does not fit, or an
            accuracy limit that cannot be met.
    """
    recipe = request.calibration_recipe(qtype)
    chosen = calibration_puzzles(
        request.task, request.calibration, request.dataset, held_out, recipe.puzzles
    )
    with _warnings_logged():
        chosen.warn_where_weak()
        if request.qat_steps:
            saved = _fine_tuned(request, qtype, held_out, chosen, track)
        else:
            saved = _calibration(request, qtype, chosen, track)
    layers = dict(saved.calibration.layers)
    if request.max_drop is None and not request.sensitivity:
        return QuantizedStep(saved, layers, ())
    runner = QuantizedRunner(saved.calibration, request.checkpoint.puzzle_embeddings)
    if request.max_drop is None:
        return QuantizedStep(saved, layers, (), _sensitivity(runner, chosen, track))
    settled = control_accuracy(
        runner, reference, held_out.entries, chosen.entries, request.max_drop, track
    )
    float_layers = []
    for layer in settled.returned:
        del layers[layer.layer]
        float_layers.append(
            FloatLayer(
                layer.layer,
                f"alone it moves the carry by {layer.first_step:.4f} at the first step and "
                f"{layer.last_step:.4f} at the last (1 - cosine); returned to float to lose at "
                f"most {request.max_drop:g} points",
            )
        )
    report = settled.report
    logger.info(
        f"{report.worst_drop:+.2f} points of exact match are lost, at most "
        f"{report.drop_bound:.2f} by its 95 % interval, on {report.puzzles} held-out puzzles; "
        f"{len(float_layers)} of {len(saved.calibration.layers)} layers stay in float"
    )
    sensitivity = None
    if settled.ranking:
        sensitivity = _to_json(settled.ranking, len(chosen.entries))
    elif request.sensitivity:
        sensitivity = _sensitivity(runner, chosen, track)
    return QuantizedStep(saved, layers, tuple(float_layers), sensitivity)


def _sensitivity(runner: QuantizedRunner, chosen: PuzzleSet, track: Track) -> str:
    """Rank the layers on some of the calibration puzzles."""
    entries = chosen.entries[:SENSITIVITY_PUZZLES]
    return _to_json(rank_layers(runner, entries, track), len(entries))


def _to_json(ranking: Sequence[LayerSensitivity], puzzles: int) -> str:
    return records.encode(LayerRanking(puzzles, tuple(ranking)), layer_ranking.FORMAT)


def _calibration(
    request: ExportRequest, qtype: QType, chosen: PuzzleSet, track: Track
) -> SavedCalibration:
    checkpoint, cache = request.checkpoint, request.calibration_cache
    recipe = request.calibration_recipe(qtype)
    if cache is not None and cache.is_file():
        saved = read_calibration(cache, checkpoint.model, checkpoint.sha256, qtype, recipe)
        logger.info(f"calibration taken from {cache} ({saved.source})")
        return saved
    ready = calibrate(
        checkpoint.model, checkpoint.puzzle_embeddings, chosen.puzzles, qtype, recipe, track
    )
    saved = SavedCalibration(ready, checkpoint.sha256, chosen.source)
    seen = ready.coverage
    logger.info(f"calibrated on {seen.carries} carries of {seen.puzzles} puzzles ({chosen.source})")
    if cache is not None:
        write_text(cache, saved.to_json())
        logger.info(f"calibration kept in {cache}")
    return saved


def _fine_tuned(
    request: ExportRequest,
    qtype: QType,
    held_out: PuzzleSet,
    chosen: PuzzleSet,
    track: Track,
) -> SavedCalibration:
    """Calibrate, fine-tune on every puzzle there is, and calibrate what came out of it."""
    checkpoint, recipe = request.checkpoint, request.calibration_recipe(qtype)
    table = checkpoint.puzzle_embeddings
    how = FinetuneRecipe(request.qat_steps)
    lessons = calibration_puzzles(request.task, request.calibration, request.dataset, held_out)
    ready = calibrate(checkpoint.model, table, chosen.puzzles, qtype, recipe, track)
    state = request.qat_state
    if state is not None and state.exists():
        logger.info(f"going on with the fine-tuning in {state}")
    model = finetune(
        ready.model, table, lessons.entries, qtype, recipe, how, state=state, track=track
    )
    logger.info(
        f"fine-tuned for {how.steps} steps on {len(lessons.entries)} puzzles ({lessons.source})"
    )
    again = calibrate(model, table, chosen.puzzles, qtype, recipe, track)
    return SavedCalibration(again, checkpoint.sha256, chosen.source, how)


@contextmanager
def _warnings_logged() -> Iterator[None]:
    """Warnings of calibration go to the caller as lines, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CalibrationWarning)
        yield
    for text in dict.fromkeys(
        str(warning.message) for warning in caught if warning.category is CalibrationWarning
    ):
        logger.warning("%s", text)
    for warning in caught:
        if warning.category is not CalibrationWarning:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
