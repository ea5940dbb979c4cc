"""``calibration.json``: a calibration as JSON, and back to the same graph without running a model.

The file holds what the carries determined (ranges, channel magnitudes, corrections) and the codes
of weights that were rounded with compensation; everything else follows from the checkpoint.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trm_edge import calibration_record, records
from trm_edge.architecture import network_of
from trm_edge.calibration.calibrate import Calibration
from trm_edge.calibration.equalise import equalise
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.packed_weight import (
    decode_weight,
    encode_codes,
    encode_scales,
    round_again,
)
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.calibration_record import CalibrationCoverage, CalibrationRecord, LayerRecord
from trm_edge.errors import CalibrationError, ConfigError
from trm_edge.export.model import RecursiveModel

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class SavedCalibration:
    """A calibration and its origin.

    Args:
        calibration: the calibrated model.
        checkpoint_sha256: sha256 of the weight file.
        source: origin of the puzzles, for people.
        finetune: recipe of the fine-tuning that changed the weights before, if any.
    """

    calibration: Calibration
    checkpoint_sha256: str
    source: str
    finetune: FinetuneRecipe | None = None

    def to_json(self) -> str:
        """The content of ``calibration.json``."""
        calibration = self.calibration
        with_codes = calibration.recipe.compensated_rounding
        layers = {}
        for name, quantization in calibration.layers.items():
            layers[name] = _layer_record(quantization, calibration.qtype, with_codes=with_codes)
        finetune = None
        if self.finetune is not None:
            finetune = records.to_builtins(self.finetune)
        record = CalibrationRecord(
            checkpoint_sha256=self.checkpoint_sha256,
            qtype=calibration.qtype,
            source=self.source,
            recipe=calibration.recipe.to_dict(),
            coverage=calibration.coverage,
            layers=layers,
            finetune=finetune,
        )
        return records.encode(record, calibration_record.FORMAT, indent=1)


def read_calibration(
    path: Path,
    model: RecursiveModel,
    checkpoint_sha256: str,
    qtype: QType,
    recipe: CalibrationRecipe | None = None,
) -> SavedCalibration:
    """Restore a calibration from its file.

    Args:
        path: ``calibration.json``.
        model: the float32 model that was calibrated; it is not changed.
        checkpoint_sha256: sha256 of its weight file.
        qtype: the expected quantized type.
        recipe: the expected recipe; None accepts any.

    Raises:
        CalibrationError: the file cannot be read, is for another checkpoint, type or recipe, or
            follows a fine-tuning, whose weights it does not hold.
    """
    record = records.read(
        path, CalibrationRecord, calibration_record.KIND, migrate=calibration_record.migrate
    )
    try:
        saved_recipe = CalibrationRecipe.from_dict(record.recipe)
    except ConfigError as error:
        reason = str(error).rstrip(".")
        raise CalibrationError(
            f"{path} is not a saved calibration: {reason}. {calibration_record.KIND.remedy}"
        ) from error
    _check_origin(path, record, checkpoint_sha256, qtype)
    if recipe is not None and recipe != saved_recipe:
        differences = ", ".join(saved_recipe.differences(recipe))
        raise CalibrationError(
            f"{path} was made by another recipe: {differences}. "
            "Use the same recipe, or calibrate again without this file."
        )
    if set(record.layers) != set(linear_layers(model)):
        raise CalibrationError(
            f"{path} is for a graph with other layers. Calibrate again without this file."
        )
    try:
        calibration = _restore(model, qtype, saved_recipe, record.coverage, record.layers)
    except (ValueError, TypeError, OverflowError, zlib.error, RuntimeError) as error:
        raise CalibrationError(
            f"{path} does not fit the model: {error}. Calibrate again without this file."
        ) from error
    return SavedCalibration(calibration, checkpoint_sha256, record.source)


def _check_origin(
    path: Path, record: CalibrationRecord, checkpoint_sha256: str, qtype: QType
) -> None:
    if record.checkpoint_sha256 != checkpoint_sha256:
        raise CalibrationError(
            f"{path} was made for other weights: for a checkpoint with sha256 "
            f"{record.checkpoint_sha256[:12]}…, but this one has {checkpoint_sha256[:12]}…. "
            "Calibrate again without this file."
        )
    if record.finetune is not None:
        raise CalibrationError(
            f"{path} follows a fine-tuning and does not hold the fine-tuned weights. "
            "Calibrate again without this file."
        )
    if record.qtype != qtype:
        raise CalibrationError(
            f"{path} is for {record.qtype}, but {qtype} was requested. Calibrate again without "
            "this file."
        )


@torch.no_grad()
def _restore(
    model: RecursiveModel,
    qtype: QType,
    recipe: CalibrationRecipe,
    coverage: CalibrationCoverage,
    layer_records: Mapping[str, LayerRecord],
) -> Calibration:
    model = copy.deepcopy(model)
    channel_amax = {}
    powers = {}
    modules = linear_layers(model)
    for name, record in layer_records.items():
        passes = model.config.passes_of(network_of(name))
        _check_layer(name, record, modules[name].weight, passes)
        channel_amax[name] = torch.tensor(record.channel_amax)
        powers[name] = record.equalisation
    equalise(model, channel_amax, powers)
    for name, module in modules.items():
        if not torch.isfinite(module.weight).all():
            raise ValueError(f"its magnitudes make weights of {name} infinite")
    layers = {}
    for name, module in modules.items():
        record = layer_records[name]
        bias = None
        if record.bias is not None:
            bias = np.array(record.bias, np.float32)
        activations = recipe.activations_of(name)
        if recipe.compensated_rounding:
            weight, scales = decode_weight(module.weight, record, qtype, activations)
        else:
            weight, scales = round_again(module.weight, qtype, activations)
        layers[name] = LayerQuantization(
            activations=activations,
            amax=record.amax,
            weight=weight,
            weight_scales=scales.numpy(),
            equalisation=record.equalisation,
            channel_amax=channel_amax[name],
            bias=bias,
        )
    return Calibration(model, qtype, layers, recipe, coverage)


def _check_layer(name: str, record: LayerRecord, weight: Tensor, passes: int) -> None:
    """Refuse numbers that no calibration of the layer has."""
    outputs, inputs = weight.shape
    if len(record.amax) not in (1, passes):
        raise ValueError(f"{name} has {len(record.amax)} ranges, expected 1 or {passes}")
    if not all(0 < value <= _LARGEST for value in record.amax):
        raise ValueError(f"a range of {name} is not a positive number")
    if not 0 <= record.equalisation <= 1:
        raise ValueError(f"the equalisation of {name} is not within 0..1")
    if len(record.channel_amax) != inputs:
        raise ValueError(f"{name} has {len(record.channel_amax)} input channels, expected {inputs}")
    if not all(0 <= value <= _LARGEST for value in record.channel_amax):
        raise ValueError(f"a channel magnitude of {name} is not a number of 0 or more")
    if record.bias is None:
        return
    if len(record.bias) != outputs:
        raise ValueError(f"{name} has {len(record.bias)} biases, expected {outputs}")
    if not all(abs(value) <= _LARGEST for value in record.bias):
        raise ValueError(f"a bias of {name} is not a finite number")


def _layer_record(
    quantization: LayerQuantization, qtype: QType, *, with_codes: bool
) -> LayerRecord:
    bias = None
    if quantization.bias is not None:
        bias = tuple(float(value) for value in quantization.bias)
    codes = None
    scales = None
    if with_codes:
        codes = encode_codes(quantization, qtype)
        scales = encode_scales(quantization)
    return LayerRecord(
        amax=quantization.amax,
        equalisation=quantization.equalisation,
        channel_amax=tuple(float(value) for value in quantization.channel_amax),
        bias=bias,
        codes=codes,
        weight_scales=scales,
    )
