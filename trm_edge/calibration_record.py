"""``calibration.json`` of a bundle, as far as it can be read without torch or onnx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trm_edge.errors import CalibrationError
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.calibration", 1)
KIND = RecordKind(
    FORMAT, "a saved calibration", CalibrationError, "Calibrate again without this file."
)

_FORMER_KEYS = {"kind": "qtype", "seen": "coverage"}  # of the first versions


@dataclass(frozen=True)
class CalibrationCoverage:
    """Counts of what a calibration observed.

    Args:
        puzzles: number of puzzles.
        steps: ACT (adaptive computation time) steps of all puzzles together.
        carries: passes of the network in these steps, each with its own input.
    """

    puzzles: int
    steps: int
    carries: int


@dataclass(frozen=True)
class LayerRecord:
    """The calibration of one layer.

    Args:
        amax: largest magnitude of the input that is represented; one value, or one for each call
            site.
        equalisation: power of ``channel_amax`` that the input channels were divided by.
        channel_amax: largest magnitude of each input channel before equalisation.
        bias: added to each output channel of the product, or None.
        codes: codes of the weight, (out, in) bytes, compressed with zlib, in base64; None where
            they follow from the checkpoint.
        weight_scales: scales of the weight, (out, 1) or (out, blocks) float32 of little endian,
            compressed and encoded like ``codes``; None where they follow from the checkpoint.
    """

    amax: tuple[float, ...]
    equalisation: float
    channel_amax: tuple[float, ...]
    bias: tuple[float, ...] | None
    codes: str | None
    weight_scales: str | None = None


@dataclass(frozen=True)
class CalibrationRecord:
    """A saved calibration.

    Args:
        checkpoint_sha256: sha256 of the weight file that was calibrated.
        qtype: quantized type, ``int8``, ``fp8`` or ``int4``.
        source: origin of the calibration puzzles, for people.
        recipe: fields of the calibration recipe.
        coverage: counts of what was observed.
        layers: calibration by layer name.
        finetune: fields of the fine-tuning recipe, None where the weights are the checkpoint's.
    """

    checkpoint_sha256: str
    qtype: str
    source: str
    recipe: Mapping[str, Any]
    coverage: CalibrationCoverage
    layers: Mapping[str, LayerRecord]
    finetune: Mapping[str, Any] | None = None

    @property
    def activations(self) -> str:
        """Rounding of the inputs of a product, from the recipe."""
        return str(self.recipe.get("activations", "not recorded"))

    @property
    def range_method(self) -> str:
        """Method of the ranges measured in calibration, from the recipe."""
        return str(self.recipe.get("method", "not recorded"))


def migrate(raw: dict[str, Any]) -> None:
    """Rename the keys of the first versions, and add what earlier recipes did not have, in place.

    Args:
        raw: the parsed JSON without its format line.
    """
    for former, current in _FORMER_KEYS.items():
        if former in raw:
            raw[current] = raw.pop(former)
    if isinstance(raw.get("recipe"), dict):
        raw["recipe"].setdefault("float_layers", [])
