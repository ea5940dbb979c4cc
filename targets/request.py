"""An export request: checkpoint, precision, targets, and the rules for what goes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trm_edge.calibration.recipe import STATIC_ACTIVATIONS, Activations, CalibrationRecipe, QType
from trm_edge.errors import ConfigError
from trm_edge.manifest import Limits, RowType
from trm_edge.profile import Precision, TargetProfile
from trm_edge.tasks.base import Task

if TYPE_CHECKING:
    from trm_edge.export.checkpoint import Checkpoint

_QTYPES: dict[Precision, QType] = {
    "int8": "int8",
    "fp8": "fp8",
    "int8-weight-only": "int8",
    "int4-weight-only": "int4",
}

# INT8 moves the halting step of one puzzle in twelve, FP8's three bits of mantissa that of one in
# nine and four bits of weight that of one in six; with it move the answers that flip either way by
# chance (docs/quantization.md).
_LIMITS: dict[Precision, Limits] = {
    "int8": Limits(min_halting_agreement=0.85),
    "fp8": Limits(max_drop=1.0, min_halting_agreement=0.8),
    "int4-weight-only": Limits(max_drop=2.0, min_halting_agreement=0.7),
}


def qtype_of(precision: Precision) -> QType | None:
    """The quantized element type of a precision; None for float precisions.

    Args:
        precision: what a user asks for.
    """
    return _QTYPES.get(precision)


def require_quantized(precision: Precision, options: Sequence[str]) -> None:
    """Refuse options of quantization where nothing is quantized.

    Args:
        precision: of the export.
        options: the options in use, as a user writes them.

    Raises:
        ConfigError: there are any, and the precision is a float one.
    """
    if options and qtype_of(precision) is None:
        raise ConfigError(
            f"{', '.join(options)}: only with a quantized precision ({', '.join(_QTYPES)}), but "
            f"got {precision}."
        )


def require_targets(targets: Sequence[TargetProfile], precision: Precision) -> None:
    """Refuse targets that share a name or do not have the precision.

    Args:
        targets: profiles to export for.
        precision: of the export.

    Raises:
        ConfigError: names the target, and the precisions that it has.
    """
    names = [target.name for target in targets]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"two targets have the same name: {', '.join(repeated)}. Rename one of their files."
        )
    for target in targets:
        target.require(precision)


def require_noise_targets(targets: Sequence[TargetProfile]) -> None:
    """Refuse inputs for noise where no target's graph would get them.

    Args:
        targets: profiles to export for.

    Raises:
        ConfigError: none of them is a GPU.
    """
    if not any(target.engine == "tensorrt" for target in targets):
        names = ", ".join(target.name for target in targets)
        raise ConfigError(
            f"noise (--noise) is for GPU targets, but got only {names}. On a CPU, noise is added "
            "between two steps, and the graph needs no input for it: leave it out, or add a GPU "
            "with --target NAME (trm-edge targets lists them)."
        )


def default_recipe(
    precision: Precision, qtype: QType, targets: Sequence[TargetProfile]
) -> CalibrationRecipe:
    """The calibration recipe of a precision that suits all targets.

    Args:
        precision: of the export.
        qtype: its quantized element type.
        targets: all targets, which share the calibration.
    """
    recipe = CalibrationRecipe.default(qtype)
    if is_weight_only(precision):
        return replace(recipe, activations="float")
    # One calibration serves all targets: those that round per token do not use the ranges.
    if precision == "int8" and any(target.int8_ranges == "per_layer" for target in targets):
        return CalibrationRecipe.static(qtype)
    return recipe


def is_weight_only(precision: Precision) -> bool:
    """Whether weights are quantized and activations are not.

    Args:
        precision: of the export.
    """
    return precision.endswith("weight-only")


@dataclass(frozen=True)
class ExportRequest:
    """A checkpoint, the precision and targets to export it for, and the data to measure it on.

    Args:
        checkpoint: the trained model.
        task: reads and judges puzzles.
        precision: of the exported graphs.
        targets: profiles to export for; they share one calibration.
        dataset: the run's dataset folder, for calibration and held-out puzzles.
        calibration: puzzles to calibrate on, a file or a dataset folder.
        calibration_puzzles: number of puzzles to calibrate on; the recipe's where None.
        held_out: puzzles to measure accuracy on, a file or a dataset folder.
        held_out_seed: draw the held-out puzzles at random by this seed.
        calibration_cache: ``calibration.json`` to reuse, or to write where it does not exist.
        recipe: calibration recipe, whose rounding of inputs all targets get; the precision's
            default where None, with each target's own rounding.
        max_drop: points of exact match; layers return to float until no more are lost.
        qat_steps: steps of fine-tuning with quantization in place (QAT); 0 for none.
        qat_state: file in which an interrupted fine-tuning is kept.
        limits: accuracy limits of the bundle; the precision's default where None.
        float32: keep the float32 graph in the bundle, to time others against.
        sensitivity: measure and keep the effect of quantizing each layer alone.
        noise: give the graphs of GPU targets inputs for noise.
        row_type: how the rows of the puzzle-embedding table are stored.

    Raises:
        ConfigError: a target does not have the precision or cannot round inputs as the recipe
            says, or options do not go together.
    """

    checkpoint: Checkpoint
    task: Task
    precision: Precision
    targets: tuple[TargetProfile, ...]
    dataset: Path | None = None
    calibration: Path | None = None
    calibration_puzzles: int | None = None
    held_out: Path | None = None
    held_out_seed: int | None = None
    calibration_cache: Path | None = None
    recipe: CalibrationRecipe | None = None
    max_drop: float | None = None
    qat_steps: int = 0
    qat_state: Path | None = None
    limits: Limits | None = None
    float32: bool = True
    sensitivity: bool = False
    noise: bool = False
    row_type: RowType = "float32"

    def __post_init__(self) -> None:
        self._check_targets()
        require_quantized(self.precision, self._quantization_options())
        if self.qat_steps < 0:
            raise ConfigError(f"qat_steps (--qat) must be 0 or more, but got {self.qat_steps}.")
        if self.calibration_puzzles is not None and self.calibration_puzzles < 1:
            raise ConfigError(
                "calibration_puzzles (--calibration-puzzles) must be 1 or more, but got "
                f"{self.calibration_puzzles}."
            )
        if self.held_out_seed is not None and self.held_out_seed < 0:
            raise ConfigError(
                f"held_out_seed (--held-out-seed) must be 0 or more, but got {self.held_out_seed}."
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise ConfigError(
                f"max_drop (--max-drop) must lie in 0..100 points, but got {self.max_drop}."
            )
        if self.qat_steps and self.calibration_cache is not None:
            raise ConfigError(
                "calibration_cache (--calibration-cache) does not go with qat_steps (--qat): "
                "fine-tuned weights need a calibration of their own. Leave one of them out."
            )
        if self.row_type != "float32" and self.checkpoint.puzzle_embeddings is None:
            raise ConfigError(
                f"row_type (--int8-rows) must be float32, but got {self.row_type}: the model has "
                "no puzzle embeddings to round. Leave --int8-rows out."
            )
        self._check_recipe()

    def _check_targets(self) -> None:
        if not self.targets:
            raise ConfigError("targets (--target) must name at least one target, but is empty.")
        require_targets(self.targets, self.precision)
        if self.noise:
            require_noise_targets(self.targets)

    def _quantization_options(self) -> list[str]:
        """Options in use that mean nothing without quantization."""
        in_use = {
            "calibration (--calibration)": self.calibration is not None,
            "calibration_puzzles (--calibration-puzzles)": self.calibration_puzzles is not None,
            "calibration_cache (--calibration-cache)": self.calibration_cache is not None,
            "recipe (--recipe)": self.recipe is not None,
            "max_drop (--max-drop)": self.max_drop is not None,
            "qat_steps (--qat)": self.qat_steps > 0,
            "sensitivity (--sensitivity)": self.sensitivity,
        }
        return [option for option, used in in_use.items() if used]

    def _check_recipe(self) -> None:
        if self.recipe is None:
            return
        weight_only = is_weight_only(self.precision)
        if weight_only and self.recipe.activations != "float":
            raise ConfigError(
                f"with {self.precision} the recipe's activations must be 'float', but got "
                f"{self.recipe.activations!r}."
            )
        if not weight_only and self.recipe.activations == "float":
            raise ConfigError(
                f"with {self.precision} the recipe's activations must not be 'float'. To quantize "
                "weights alone, ask for int8-weight-only (--int8 --weight-only)."
            )
        if not weight_only and self.recipe.activations not in STATIC_ACTIVATIONS:
            self._require_dynamic_rounding(self.recipe.activations)

    def _require_dynamic_rounding(self, activations: Activations) -> None:
        """Refuse a recipe that rounds inputs per token, where a target cannot do that."""
        names = []
        for target in self.targets:
            is_static = target.int8_ranges == "per_layer"
            if self.precision != "int8":
                is_static = target.engine == "tensorrt"
            if is_static:
                names.append(target.name)
        if names:
            raise ConfigError(
                f"the recipe's activations are {activations!r}, which scale inputs per token while "
                f"the graph runs, but {', '.join(names)} needs ranges from calibration. Set "
                f"activations to {' or '.join(STATIC_ACTIVATIONS)} in the recipe, or export for "
                "other targets."
            )

    @property
    def qtype(self) -> QType | None:
        """The quantized element type; None for float precisions."""
        return qtype_of(self.precision)

    @property
    def accuracy_limits(self) -> Limits:
        """The limits of the bundle: ``limits``, else the precision's own with ``max_drop``."""
        if self.limits is not None:
            return self.limits
        limits = _LIMITS.get(self.precision, Limits())
        if self.max_drop is None:
            return limits
        return replace(limits, max_drop=self.max_drop)

    def calibration_recipe(self, qtype: QType) -> CalibrationRecipe:
        """The recipe of the request, else the default of its precision and targets.

        Args:
            qtype: the quantized element type.
        """
        recipe = self.recipe or default_recipe(self.precision, qtype, self.targets)
        if self.calibration_puzzles is None:
            return recipe
        return replace(recipe, puzzles=self.calibration_puzzles)
