"""What is asked of an export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from trm_edge.calibration.recipe import CalibrationRecipe, QType
from trm_edge.export.checkpoint import Checkpoint
from trm_edge.manifest import Limits
from trm_edge.profile import Precision, TargetProfile
from trm_edge.tasks.base import Task

_TYPES: dict[Precision, QType] = {
    "int8": "int8",
    "fp8": "fp8",
    "int8-weight-only": "int8",
    "int4-weight-only": "int4",
}


# Ranges of whole layers move the halting step of one puzzle in ten. Three bits of mantissa or four
# bits of weight move that of more, and with it the answers that flip either way by chance
# (docs/quantization.md).
_LIMITS: dict[Precision, Limits] = {
    "int8": Limits(min_halting_agreement=0.85),
    "fp8": Limits(max_drop=1.0, min_halting_agreement=0.8),
    "int4-weight-only": Limits(max_drop=2.0, min_halting_agreement=0.7),
}


@dataclass(frozen=True)
class ExportRequest:
    """A checkpoint, what it shall become, and what that is measured on."""

    checkpoint: Checkpoint
    task: Task
    precision: Precision
    targets: tuple[TargetProfile, ...]
    dataset: Path | None = None
    calibration: Path | None = None
    calibration_cache: Path | None = None
    recipe: CalibrationRecipe | None = None  # the precision's default
    # Points of exact match: layers are returned to float until no more are lost.
    max_drop: float | None = None
    qat_steps: int = 0  # of fine-tuning with quantization in place
    qat_state: Path | None = None  # where an interrupted fine-tuning is kept
    limits: Limits | None = None  # the precision's default
    float32: bool = True  # keep the float32 graph in the bundle, to be timed against
    sensitivity: bool = False  # keep what each layer's quantization alone does

    @property
    def qtype(self) -> QType | None:
        """The quantized type, None for float precisions."""
        return _TYPES.get(self.precision)

    @property
    def accuracy_limits(self) -> Limits:
        """The limits of the bundle: those given, else the precision's own and ``max_drop``."""
        if self.limits is not None:
            return self.limits
        limits = _LIMITS.get(self.precision, Limits())
        return limits if self.max_drop is None else replace(limits, max_drop=self.max_drop)

    def calibration_recipe(self, qtype: QType) -> CalibrationRecipe:
        """The recipe that was given, or the precision's own."""
        if self.recipe is not None:
            return self.recipe
        default = CalibrationRecipe.default(qtype)
        if self.precision.endswith("weight-only"):
            return replace(default, activations="float")
        if self.precision == "int8" and any(
            target.int8_ranges == "per_layer" for target in self.targets
        ):
            # One calibration serves all targets: who rounds by rows needs no ranges.
            return CalibrationRecipe.static(qtype)
        return default
