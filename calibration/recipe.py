"""The calibration recipe: every setting of a calibration, as stored in ``calibration.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from trm_edge import records, typed_values
from trm_edge.errors import ConfigError

# Quantized element type.
QType = Literal["int8", "fp8", "int4"]

# Rounding of the input of a matrix product:
#   per_token           each token by its own largest magnitude (dynamic)
#   per_layer           by a range measured in calibration, one for all passes of the network
#   per_call_site       by a range measured in calibration, one for each pass of the network
#   per_token_products  per_token for inputs that no norm has scaled (SwiGLU products, the output of
#                       attention), per_layer for all others
#   float               not rounded: weights alone are quantized
Activations = Literal["per_token", "per_token_products", "per_layer", "per_call_site", "float"]
# Every input is rounded by a range that calibration measured: nothing is left to compute for it.
STATIC_ACTIVATIONS: tuple[Activations, ...] = ("per_layer", "per_call_site")
_WITH_RANGES: tuple[Activations, ...] = ("per_token_products", "per_layer", "per_call_site")
_LAYERS_WITHOUT_NORM = ("down_proj", "o_proj")

RangeMethod = Literal["max", "percentile", "entropy", "mse"]

# "true": the carries of the model's own halting loop. "random": standard normal, as from an
# exporter that does not know the loop; for comparisons.
Carries = Literal["true", "random"]

_DEFAULT_PERCENTILE = 99.99
# Position mixing by an MLP: in FP8 it moves more halting steps than all other layers together.
FP8_FLOAT_LAYERS = ("mlp_t.gate_up_proj",)


@dataclass(frozen=True)
class CalibrationRecipe:
    """Settings of a calibration.

    Args:
        puzzles: largest number of puzzles to calibrate on.
        batch: puzzles that run at once.
        carries: carries to calibrate on: ``true`` or ``random``.
        steps: ACT (adaptive computation time) steps to observe, from 1; empty for all.
        passes: network passes of a step to observe, from 0; empty for all.
        activations: rounding of the inputs of matrix products.
        method: method of the ranges measured in calibration.
        percentile: percentile of magnitudes that a range covers, with the method ``percentile``.
        equalisation: powers of a SwiGLU product channel's largest magnitude to try as its factor;
            the best one for each layer is folded into the weights around it. ``(0.0,)`` leaves the
            model unchanged.
        compensated_rounding: round each weight so that it makes up for the error of those before
            it, on recorded inputs.
        bias_correction: add to each product the mean that quantization takes from it, on recorded
            inputs.
        float_layers: layers with one of these in their name stay in float.
        seed: seed of the sample of inputs, and of random carries.

    Raises:
        ConfigError: a value is out of range, or two values contradict each other.
    """

    puzzles: int = 64
    batch: int = 32
    carries: Carries = "true"
    steps: tuple[int, ...] = ()
    passes: tuple[int, ...] = ()
    activations: Activations = "per_token_products"
    method: RangeMethod = "max"
    percentile: float = _DEFAULT_PERCENTILE
    equalisation: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    compensated_rounding: bool = True
    bias_correction: bool = False
    float_layers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_numbers()
        self._check_combinations()

    def _check_choices(self) -> None:
        choices: dict[str, Any] = {
            "carries": Carries,
            "activations": Activations,
            "method": RangeMethod,
        }
        for name, literal in choices.items():
            value = getattr(self, name)
            allowed = get_args(literal)
            if value not in allowed:
                raise ConfigError(f"{name} must be one of {', '.join(allowed)}, but got {value!r}.")

    def _check_numbers(self) -> None:
        for name in ("puzzles", "batch"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name} must be 1 or more, but got {value}.")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must lie in 0..2^63 - 1, but got {self.seed}.")
        if min(self.steps, default=1) < 1:
            raise ConfigError(f"steps must be numbers from 1, but got {self.steps}.")
        if min(self.passes, default=0) < 0:
            raise ConfigError(f"passes must be numbers from 0, but got {self.passes}.")
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie in (0, 100], but got {self.percentile}.")
        if not self.equalisation or not all(0 <= power <= 1 for power in self.equalisation):
            raise ConfigError(
                f"equalisation must be one or more powers within 0..1, but got {self.equalisation}."
            )

        if not all(self.float_layers):
            raise ConfigError("float_layers must hold parts of layer names, but got an empty one.")

    def _check_combinations(self) -> None:
        if self.activations not in _WITH_RANGES and self.method != "max":
            raise ConfigError(
                f"method must be 'max' with activations {self.activations!r}, which use no range "
                f"measured in calibration, but got {self.method!r}. Choose 'max', or one of the "
                f"activations {', '.join(_WITH_RANGES)}."
            )
        if self.method != "percentile" and self.percentile != _DEFAULT_PERCENTILE:
            raise ConfigError(
                f"percentile must be {_DEFAULT_PERCENTILE} with method {self.method!r}, which does "
                f"not use it, but got {self.percentile}. Choose the method 'percentile', or leave "
                "percentile out."
            )
        if self.activations == "per_call_site" and self.passes:
            raise ConfigError(
                "passes must be empty with activations 'per_call_site', which need a range for "
                f"every pass, but got {self.passes}."
            )

    def differences(self, expected: CalibrationRecipe, names: Iterable[str] = ()) -> list[str]:
        """Describe the fields in which another recipe differs.

        Args:
            expected: the other recipe.
            names: of the fields to compare; all by default.

        Returns:
            ``NAME VALUE, not VALUE`` for each, this recipe's value first.
        """
        differences = []
        for name in names or vars(self):
            value = getattr(self, name)
            expected_value = getattr(expected, name)
            if value != expected_value:
                differences.append(f"{name} {value!r}, not {expected_value!r}")
        return differences

    def require_qtype(self, qtype: QType) -> None:
        """Check that a quantized type can be calibrated by this recipe.

        Args:
            qtype: the quantized type.

        Raises:
            ConfigError: it cannot.
        """
        if qtype == "fp8" and self.method == "entropy":
            raise ConfigError(
                "method must be max, mse or percentile for fp8, but got 'entropy', which counts "
                "integer levels."
            )
        if qtype == "int4" and self.activations != "float":
            raise ConfigError(
                "activations must be 'float' for int4, which is a type for weights, but got "
                f"{self.activations!r}."
            )

    @classmethod
    def default(cls, qtype: QType) -> CalibrationRecipe:
        """The recipe of `trm-edge export --int8`, `--fp8` and `--int4`.

        FP8 is a floating-point type: small values keep their digits under a common range. It has
        three of them, too few for the projection that mixes positions (docs/quantization.md). INT4
        is a type for weights.

        Args:
            qtype: the quantized type.
        """
        activations: dict[QType, Activations] = {
            "int8": "per_token_products",
            "fp8": "per_layer",
            "int4": "float",
        }
        float_layers = FP8_FLOAT_LAYERS if qtype == "fp8" else ()
        return cls(activations=activations[qtype], float_layers=float_layers)

    @classmethod
    def static(cls, qtype: QType) -> CalibrationRecipe:
        """The recipe of targets that need every range measured in calibration (static).

        Entropy keeps INT8's carry nearest to the float one (docs/quantization.md); ModelOpt has no
        entropy ranges for FP8.

        Args:
            qtype: the quantized type.
        """
        if qtype == "int8":
            return cls(activations="per_layer", method="entropy")
        return replace(cls.default(qtype), activations="per_layer")

    def keeps_in_float(self, layer: str) -> bool:
        """True if a layer is not quantized.

        Args:
            layer: name of the layer.
        """
        return any(part in layer for part in self.float_layers)

    def activations_of(self, layer: str) -> Activations:
        """The rounding of one layer's inputs; never ``per_token_products``.

        Args:
            layer: name of the layer.
        """
        return activations_of(layer, self.activations)

    @property
    def needs_observers(self) -> bool:
        """True if ranges need a second run; the largest magnitude is known from the first."""
        if self.activations == "per_call_site":
            return True
        return self.activations in _WITH_RANGES and self.method != "max"

    def observes(self, step: int, network_pass: int) -> bool:
        """True if the inputs of a network pass are observed.

        Args:
            step: ACT step, from 1.
            network_pass: pass of the network in that step, from 0.
        """
        step_observed = not self.steps or step in self.steps
        pass_observed = not self.passes or network_pass in self.passes
        return step_observed and pass_observed

    def to_dict(self) -> dict[str, Any]:
        """Values by field, for JSON and TOML."""
        values: dict[str, Any] = records.to_builtins(self)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CalibrationRecipe:
        """Restore a recipe from :meth:`to_dict`, after a round trip through JSON.

        Args:
            values: a value for every field.

        Raises:
            ConfigError: a key is unknown or missing, or a value has another type or is out of
                range.
        """
        missing = [field.name for field in fields(cls) if field.name not in values]
        if missing:
            raise ConfigError(f"the recipe lacks {', '.join(missing)}")
        return typed_values.build(cls, values)


def activations_of(layer: str, activations: Activations) -> Activations:
    """The rounding of one layer's inputs; never ``per_token_products``.

    Args:
        layer: name of the layer.
        activations: rounding of the network.
    """
    if activations != "per_token_products":
        return activations
    if layer.endswith(_LAYERS_WITHOUT_NORM):
        return "per_token"
    return "per_layer"
