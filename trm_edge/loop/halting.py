"""When a slot stops: the published rule, decided per slot after every ACT step.

Training halts as soon as the rule holds; the published evaluation always runs all steps
(arXiv 2510.04871, upstream ``trm.py``). ``adaptive`` is the first, ``fixed`` the second. A
threshold other than 0 and a stop by an unchanged prediction are ours, and off unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Tokens

HaltingMode = Literal["adaptive", "fixed"]


@dataclass(frozen=True)
class HaltingRule:
    """Halting of one run of the loop.

    Args:
        threshold: by how much (a logit) q_halt has to win; 0 is the published rule.
        unchanged: stop, in either mode, when a prediction equals those of this many steps before
            it; 0: never.

    Raises:
        ConfigError: the limits are out of order or the mode is unknown.
    """

    mode: HaltingMode
    compares_continue: bool  # True: q_halt > q_continue; False: q_halt > 0
    max_steps: int
    min_steps: int = 1
    threshold: float = 0.0
    unchanged: int = 0

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
        if not np.isfinite(self.threshold):
            raise ConfigError(f"the halting threshold must be finite, but got {self.threshold}.")
        if self.unchanged < 0:
            raise ConfigError(f"unchanged must be 0 steps or more, but got {self.unchanged}.")

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        mode: HaltingMode = "adaptive",
        *,
        max_steps: int | None = None,
        min_steps: int = 1,
        threshold: float = 0.0,
        unchanged: int = 0,
    ) -> HaltingRule:
        """The rule that a model was trained with; ``max_steps`` defaults to its own."""
        limit = config.halt_max_steps if max_steps is None else max_steps
        compares = not config.no_ACT_continue
        return cls(mode, compares, limit, min_steps, threshold, unchanged)

    def wants_to_stop(
        self, q_halt: NDArray[np.float32], q_continue: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """What the halting head says, whatever the mode and the step; any equal shapes."""
        against = q_continue if self.compares_continue else np.zeros_like(q_halt)
        stops: NDArray[np.bool_] = q_halt > against + np.float32(self.threshold)
        return stops

    def holds(
        self,
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        same: NDArray[np.int32] | None = None,
    ) -> NDArray[np.bool_]:
        """Where a reason to stop is given, steps aside.

        Args:
            same: how many predictions before the last one equal it, shaped like q; needed where
                ``unchanged`` is set.
        """
        adaptive = self.mode == "adaptive"
        stops = self.wants_to_stop(q_halt, q_continue) if adaptive else np.zeros(q_halt.shape, bool)
        if self.unchanged:
            if same is None:
                raise ConfigError("a rule with unchanged needs to know how long predictions stood.")
            stops = stops | (same >= self.unchanged)
        return stops

    def halted(
        self,
        steps: NDArray[np.int32],
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        same: NDArray[np.int32] | None = None,
    ) -> NDArray[np.bool_]:
        """Which of the slots (B,) are done after their ``steps`` (B,) ACT steps."""
        stops = self.holds(q_halt, q_continue, same) & (steps >= self.min_steps)
        return stops | (steps >= self.max_steps)

    def __str__(self) -> str:
        most = f"{self.max_steps} steps"
        still = f" or unchanged for {self.unchanged}" if self.unchanged else ""
        if self.mode == "fixed":
            return f"fixed{still}, {'at most ' if still else ''}{most}"
        rule = "q_halt > q_continue" if self.compares_continue else "q_halt > 0"
        if self.threshold and self.compares_continue:
            rule += f" {'+' if self.threshold > 0 else '-'} {abs(self.threshold):g}"
        elif self.threshold:
            rule = f"q_halt > {self.threshold:g}"
        least = f", at least {self.min_steps}" if self.min_steps > 1 else ""
        return f"adaptive, {rule}{still}{least}, at most {most}"


def confidence(q_halt: NDArray[Any]) -> NDArray[np.float64]:
    """Probability that the answer is right, as the halting head sees it: sigmoid(q_halt).

    Args:
        q_halt: logits of any shape, float.

    Returns:
        Probabilities of the same shape, 0 to 1.
    """
    probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(q_halt, np.float64)))
    return probability


def steps_unchanged(predictions: Tokens) -> NDArray[np.int32]:
    """How many predictions before each equal it, (n, T) from predictions (n, T, L)."""
    same: NDArray[np.int32] = np.zeros(predictions.shape[:2], np.int32)
    for step in range(1, same.shape[1]):
        equal = (predictions[:, step] == predictions[:, step - 1]).all(-1)
        same[:, step] = np.where(equal, same[:, step - 1] + 1, 0)
    return same
