"""``calibration.json`` of a bundle, as far as it can be read without torch or onnx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trm_edge.errors import CalibrationError
from trm_edge.records import Format, RecordKind

FORMAT = Format("trm-edge.calibration", 1)
KIND = RecordKind(FORMAT, "a saved calibration", CalibrationError, "Calibrate again without it.")


@dataclass(frozen=True)
class CalibrationCoverage:
    """What a calibration has seen.

    Args:
        puzzles: number of puzzles.
        steps: ACT steps of all puzzles together.
        carries: passes of the network in these steps, each with its own input.
    """

    puzzles: int
    steps: int
    carries: int


@dataclass(frozen=True)
class CalibrationRecord:
    """A saved calibration.

    Args:
        checkpoint_sha256: of the weight file that was calibrated.
        qtype: quantized type, ``int8``, ``fp8`` or ``int4``.
        source: where the calibration puzzles are from, for people.
        recipe: fields of the calibration recipe.
        coverage: what was seen.
        layers: ranges, scales and codes by layer.
        finetune: fields of the fine-tuning recipe, None where the weights are the checkpoint's.
    """

    checkpoint_sha256: str
    qtype: str
    source: str
    recipe: Mapping[str, Any]
    coverage: CalibrationCoverage
    layers: Mapping[str, Mapping[str, Any]]
    finetune: Mapping[str, Any] | None = None

    @property
    def activations(self) -> str:
        """Rounding of the inputs of a product, from the recipe."""
        return str(self.recipe.get("activations", "not recorded"))

    @property
    def range_method(self) -> str:
        """Method of the ranges taken in advance, from the recipe."""
        return str(self.recipe.get("method", "not recorded"))


def migrate(raw: dict[str, Any]) -> None:
    """Rename what the first releases called otherwise, in place.

    Args:
        raw: the parsed JSON without its format line.
    """
    for before, now in (("kind", "qtype"), ("seen", "coverage")):
        if before in raw:
            raw[now] = raw.pop(before)
