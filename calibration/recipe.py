"""What decides a calibration, as one value that is written into ``calibration.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError

QType = Literal["int8", "fp8", "int4"]
# How the input of a matrix product is rounded. "per_token": each row by its own largest magnitude.
# "per_layer" and "per_call_site": by a range taken in advance, one for all passes of the network
# or one for each. "float": not at all, weights alone are quantized. "per_token_products": rows that
# no norm has scaled (SwiGLU products, attention's output) per token, the others per layer.
Activations = Literal["per_token", "per_token_products", "per_layer", "per_call_site", "float"]
_BEHIND_NO_NORM = ("down_proj", "o_proj")
RangeMethod = Literal["max", "percentile", "entropy", "mse"]
# "true": what the model itself makes in its halting loop. "random": standard normal, as exporters
# that know nothing of the loop do; to compare with.
Carries = Literal["true", "random"]


@dataclass(frozen=True)
class CalibrationRecipe:
    """How a model is quantized.

    Raises:
        ConfigError: a value is out of range.
    """

    puzzles: int = 64
    batch: int = 32
    carries: Carries = "true"
    # ACT steps (from 1) and network passes of a step (from 0) that are looked at; empty: all.
    steps: tuple[int, ...] = ()
    passes: tuple[int, ...] = ()
    activations: Activations = "per_token_products"
    method: RangeMethod = "max"  # of ranges taken in advance
    percentile: float = 99.99  # of magnitudes, for the method of that name
    # Powers of a product channel's amax to try as its factor; the best for each layer is folded
    # into the weights around it. (0.0,) leaves the model as it is.
    equalisation: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    # Round each weight so that the error of those before it is made up for, on recorded inputs.
    compensated_rounding: bool = True
    # Add to each product what quantization takes from its mean over recorded inputs.
    bias_correction: bool = False
    seed: int = 0  # which rows of a layer's input are recorded

    def __post_init__(self) -> None:
        if self.puzzles < 1 or self.batch < 1:
            raise ConfigError(
                f"puzzles and batch must be 1 or more, but got {self.puzzles} and {self.batch}."
            )
        for name, kinds in (
            ("carries", Carries),
            ("activations", Activations),
            ("method", RangeMethod),
        ):
            if getattr(self, name) not in get_args(kinds):
                raise ConfigError(
                    f"{name} must be one of {', '.join(get_args(kinds))}, but got "
                    f"{getattr(self, name)!r}."
                )
        if min(self.steps, default=1) < 1 or min(self.passes, default=0) < 0:
            raise ConfigError(
                f"steps count from 1 and passes from 0, but got {self.steps} and {self.passes}."
            )
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie in (0, 100], but got {self.percentile}.")
        if not self.equalisation or not all(0 <= power <= 1 for power in self.equalisation):
            raise ConfigError(
                f"equalisation must name powers within 0..1, but got {self.equalisation}."
            )

    @classmethod
    def default(cls, qtype: QType) -> CalibrationRecipe:
        """The recipe of `trm-edge export --int8`, `--fp8` and `--int4`.

        FP8 is a floating-point type: small values keep their digits under a common range. INT4 is
        for weights.
        """
        activations: dict[QType, Activations] = {
            "int8": "per_token_products",
            "fp8": "per_layer",
            "int4": "float",
        }
        return cls(activations=activations[qtype])

    @classmethod
    def static(cls, qtype: QType) -> CalibrationRecipe:
        """The recipe of targets that want every range in advance.

        Entropy keeps INT8's carry nearest to the float one (docs/quantization.md); ModelOpt has no
        such ranges for FP8.
        """
        return cls(activations="per_layer", method="entropy" if qtype == "int8" else "max")

    def activations_of(self, layer: str) -> Activations:
        """How the inputs of a layer are rounded."""
        return activations_of(layer, self.activations)

    @property
    def needs_observers(self) -> bool:
        """Whether ranges take another look at the inputs: the largest magnitude is known anyway."""
        by_site = self.activations == "per_call_site"
        return by_site or (
            self.activations in ("per_layer", "per_token_products") and self.method != "max"
        )

    def looks_at(self, step: int, network_pass: int) -> bool:
        """Whether inputs of that pass of that ACT step are observed."""
        return (not self.steps or step in self.steps) and (
            not self.passes or network_pass in self.passes
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CalibrationRecipe:
        """The inverse of ``to_dict`` after a round trip through JSON.

        Raises:
            ConfigError: a key is unknown or missing, or a value is out of range.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            raise ConfigError(
                f"a recipe has the keys {', '.join(sorted(known))}, but got "
                f"{', '.join(sorted(values))}."
            )
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**plain)


def activations_of(layer: str, activations: Activations) -> Activations:
    """What ``activations`` comes to for a layer: never "per_token_products"."""
    if activations != "per_token_products":
        return activations
    return "per_token" if layer.endswith(_BEHIND_NO_NORM) else "per_layer"
