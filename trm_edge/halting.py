"""When a slot stops: the published rule, decided per slot after every ACT step.

Training halts as soon as the rule holds; the published evaluation always runs all steps
(arXiv 2510.04871, upstream ``trm.py``). ``adaptive`` is the first, ``fixed`` the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError

HaltingMode = Literal["adaptive", "fixed"]


@dataclass(frozen=True)
class HaltingRule:
    """Halting of one run of the loop.

    Raises:
        ConfigError: the limits are out of order or the mode is unknown.
    """

    mode: HaltingMode
    compares_continue: bool  # True: q_halt > q_continue; False: q_halt > 0
    max_steps: int
    min_steps: int = 1

    def __post_init__(self) -> None:
        if self.mode not in get_args(HaltingMode):
            raise ConfigError(
                f"halting mode must be one of {', '.join(get_args(HaltingMode))}, "
                f"but got {self.mode!r}."
            )
        if not 1 <= self.min_steps <= self.max_steps:
            raise ConfigError(
                f"steps must satisfy 1 <= min_steps <= max_steps, but got min_steps "
                f"{self.min_steps} and max_steps {self.max_steps}."
            )

    @classmethod
    def of(
        cls,
        config: ModelConfig,
        mode: HaltingMode = "adaptive",
        *,
        max_steps: int | None = None,
        min_steps: int = 1,
    ) -> HaltingRule:
        """The rule that a model was trained with; ``max_steps`` defaults to its own."""
        limit = config.halt_max_steps if max_steps is None else max_steps
        return cls(mode, not config.no_ACT_continue, limit, min_steps)

    def wants_to_stop(
        self, q_halt: NDArray[np.float32], q_continue: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """What the halting head says, whatever the mode and the step; any equal shapes."""
        return q_halt > q_continue if self.compares_continue else q_halt > 0

    def halted(
        self,
        steps: NDArray[np.int32],
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Which of the slots (B,) are done after their ``steps`` (B,) ACT steps."""
        done = steps >= self.max_steps
        if self.mode == "fixed":
            return done
        return done | (self.wants_to_stop(q_halt, q_continue) & (steps >= self.min_steps))

    def __str__(self) -> str:
        if self.mode == "fixed":
            return f"fixed, {self.max_steps} steps"
        rule = "q_halt > q_continue" if self.compares_continue else "q_halt > 0"
        least = f", at least {self.min_steps}" if self.min_steps > 1 else ""
        return f"adaptive, {rule}{least}, at most {self.max_steps} steps"
