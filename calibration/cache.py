"""``calibration.json``: a calibration as text, and back to the same graph without running anything.

It holds what was learned from the carries (ranges, channel magnitudes, corrections) and, where
weights were rounded with compensation, their codes; everything else follows from the checkpoint.
"""

from __future__ import annotations

import base64
import copy
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trm_edge import calibration_record, records
from trm_edge.calibration.calibrate import Calibration
from trm_edge.calibration.equalise import equalise
from trm_edge.calibration.grid import round_weight, spread_scales, weight_scales
from trm_edge.calibration.layers import LayerQuantization
from trm_edge.calibration.qat.recipe import FinetuneRecipe
from trm_edge.calibration.qdq import STORED, encode
from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.calibration.trajectories import linear_layers
from trm_edge.calibration_record import CalibrationCoverage, CalibrationRecord
from trm_edge.errors import CalibrationError, ConfigError
from trm_edge.export.model import TinyRecursiveModel


@dataclass(frozen=True)
class SavedCalibration:
    """A calibration and where it is from."""

    calibration: Calibration
    checkpoint_sha256: str
    source: str  # of the puzzles, for people
    finetune: FinetuneRecipe | None = None  # what changed the weights before

    def to_json(self) -> str:
        """The content of ``calibration.json``."""
        ready = self.calibration
        record = CalibrationRecord(
            checkpoint_sha256=self.checkpoint_sha256,
            qtype=ready.qtype,
            source=self.source,
            recipe=ready.recipe.to_dict(),
            coverage=ready.coverage,
            layers={
                name: _layer_to_dict(how, ready.qtype, with_codes=ready.recipe.compensated_rounding)
                for name, how in ready.layers.items()
            },
            finetune=None if self.finetune is None else self.finetune.to_dict(),
        )
        return records.encode(record, calibration_record.FORMAT, indent=1)


def read_calibration(
    path: Path,
    model: TinyRecursiveModel,
    checkpoint_sha256: str,
    qtype: QType,
    recipe: CalibrationRecipe | None = None,
) -> SavedCalibration:
    """Make a checkpoint ready by a saved calibration.

    Args:
        recipe: the one that is asked for, None where any will do.

    Raises:
        CalibrationError: it cannot be read, is of another checkpoint, type or recipe, or follows a
            fine-tuning, whose weights it does not hold.
    """
    saved = records.read(
        path, CalibrationRecord, calibration_record.KIND, migrate=calibration_record.migrate
    )
    try:
        found = CalibrationRecipe.from_dict(saved.recipe)
    except (ConfigError, TypeError, ValueError) as error:
        raise CalibrationError(f"{path} is not a saved calibration: {error}.") from error
    if saved.checkpoint_sha256 != checkpoint_sha256:
        raise CalibrationError(
            f"{path} was made for other weights: for a checkpoint with sha256 "
            f"{saved.checkpoint_sha256[:12]}…, "
            f"but this one has {checkpoint_sha256[:12]}…. Calibrate again without it."
        )
    if saved.finetune is not None:
        raise CalibrationError(
            f"{path} follows a fine-tuning, and does not hold the weights that came out of it. "
            "Calibrate again without it."
        )
    if saved.qtype != qtype:
        raise CalibrationError(f"{path} is for {saved.qtype}, but {qtype} is asked for.")
    if recipe is not None and recipe != found:
        changed = ", ".join(
            f"{name} {value!r}, not {getattr(recipe, name)!r}"
            for name, value in vars(found).items()
            if value != getattr(recipe, name)
        )
        raise CalibrationError(f"{path} follows another recipe: {changed}.")
    if set(saved.layers) != set(linear_layers(model)):
        raise CalibrationError(
            f"{path} is for a graph with other layers. Calibrate again without it."
        )
    try:
        ready = _restore(model, qtype, found, saved.coverage, saved.layers)
    except (ValueError, KeyError, TypeError, zlib.error, RuntimeError) as error:
        raise CalibrationError(
            f"{path} does not fit the model: {error}. Calibrate again without it."
        ) from error
    return SavedCalibration(ready, checkpoint_sha256, saved.source)


@torch.no_grad()
def _restore(
    model: TinyRecursiveModel,
    qtype: QType,
    recipe: CalibrationRecipe,
    coverage: CalibrationCoverage,
    saved: Mapping[str, Mapping[str, Any]],
) -> Calibration:
    model = copy.deepcopy(model)
    channels = {name: torch.tensor(v["channel_amax"]) for name, v in saved.items()}
    equalise(model, channels, {name: float(v["equalisation"]) for name, v in saved.items()})
    layers = {}
    for name, module in linear_layers(model).items():
        values, weight = saved[name], module.weight
        scales = weight_scales(weight, qtype)
        if recipe.compensated_rounding:
            rounded = _decode(values["codes"], weight.shape, qtype) * spread_scales(
                scales, weight.shape[1], qtype
            )
        else:
            rounded = round_weight(weight, scales, qtype)
        bias = values["bias"]
        layers[name] = LayerQuantization(
            activations=recipe.activations_of(name),
            amax=tuple(float(amax) for amax in values["amax"]),
            weight=rounded,
            weight_scales=scales.numpy(),
            equalisation=float(values["equalisation"]),
            channel_amax=channels[name],
            bias=None if bias is None else np.array(bias, np.float32),
        )
    return Calibration(model, qtype, layers, recipe, coverage)


def _layer_to_dict(how: LayerQuantization, qtype: QType, *, with_codes: bool) -> dict[str, Any]:
    return {
        "amax": list(how.amax),
        "equalisation": how.equalisation,
        "channel_amax": [float(value) for value in how.channel_amax],
        "bias": None if how.bias is None else [float(value) for value in how.bias],
        "codes": _encode(how, qtype) if with_codes else None,
    }


def _encode(how: LayerQuantization, qtype: QType) -> str:
    codes = encode(how, qtype)
    raw = codes.astype(np.int8) if qtype == "int4" else codes
    return base64.b64encode(zlib.compress(raw.tobytes(), 9)).decode("ascii")


def _decode(text: str, shape: tuple[int, ...], qtype: QType) -> Tensor:
    raw = zlib.decompress(base64.b64decode(text, validate=True))
    stored = np.int8 if qtype == "int4" else STORED[qtype]
    codes: NDArray[Any] = np.frombuffer(raw, stored).reshape(shape)
    return torch.from_numpy(codes.astype(np.float32))
