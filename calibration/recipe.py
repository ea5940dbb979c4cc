"""What decides a calibration, as one value that is written into ``calibration.json``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from trm_edge.errors import ConfigError

RangeMethod = Literal["max", "percentile", "mse", "entropy"]
Precision8 = Literal["int8", "fp8"]


@dataclass(frozen=True)
class CalibrationRecipe:
    """How ranges are taken.

    Raises:
        ConfigError: a value is out of range.
    """

    puzzles: int = 64  # every one is run through all ACT steps, so all depths are seen
    batch: int = 32
    method: RangeMethod = "max"
    percentile: float = 99.99  # of magnitudes, for the method of that name
    # Divide each channel of the SwiGLU product by its amax to this power and fold the factor into
    # the weights around it; 0 leaves the model as it is.
    equalisation: float = 1.0

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
        if not 0 <= self.equalisation <= 1:
            raise ConfigError(f"equalisation must lie in 0..1, but got {self.equalisation}.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
