"""What decides a calibration, as one value that is written into ``calibration.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError

# ModelOpt offers "mse" too, but 0.47 hands its number of bits to the wrong parameter there and
# always returns the narrowest range it tries.
RangeMethod = Literal["max", "percentile", "entropy"]
Precision8 = Literal["int8", "fp8"]


@dataclass(frozen=True)
class CalibrationRecipe:
    """How a model is made ready for 8 bits.

    Raises:
        ConfigError: a value is out of range.
    """

    puzzles: int = 64  # every one is run through all ACT steps, so all depths are seen
    batch: int = 32
    # True: each row of a layer's input is divided by its own largest magnitude before it is
    # rounded, which costs a pass over it. False: one range a layer, taken by `method`.
    per_token: bool = True
    method: RangeMethod = "max"
    percentile: float = 99.99  # of magnitudes, for the method of that name
    # Powers of a product channel's amax to try as its factor; the best for each layer is folded
    # into the weights around it. (0.0,) leaves the model as it is.
    equalisation: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    # Round each weight so that the error of those before it is made up for, on recorded inputs.
    compensated_rounding: bool = True
    seed: int = 0  # which rows of a layer's input are recorded

    def __post_init__(self) -> None:
        if self.puzzles < 1 or self.batch < 1:
            raise ConfigError(
                f"puzzles and batch must be 1 or more, but got {self.puzzles} and {self.batch}."
            )
        if self.method not in get_args(RangeMethod):
            raise ConfigError(
                f"method must be one of {', '.join(get_args(RangeMethod))}, but got "
                f"{self.method!r}."
            )
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie in (0, 100], but got {self.percentile}.")
        if not self.equalisation or not all(0 <= power <= 1 for power in self.equalisation):
            raise ConfigError(
                f"equalisation must name powers within 0..1, but got {self.equalisation}."
            )

    @classmethod
    def default(cls, precision: Precision8) -> CalibrationRecipe:
        """The recipe of `trm-edge export --int8` and `--fp8`.

        FP8 is a floating-point type: small values keep their digits under a common range.
        """
        return cls(per_token=precision == "int8")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
