"""The halting rule, decided per slot after every ACT step.

ACT is adaptive computation time: the model's halting head decides after each step whether another
one is worth it. Training halts as soon as the rule holds; the published evaluation always runs
every step (arXiv 2510.04871, upstream ``trm.py``). The mode ``adaptive`` is the former, ``fixed``
the latter. A threshold other than 0 and stopping on an unchanged prediction are additions of
trm-edge and off by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trm_edge.config import ModelConfig
from trm_edge.errors import ConfigError
from trm_edge.puzzle import Tokens

MAX_STEPS = 65_536  # of a puzzle; logits of every step are kept
HaltingMode = Literal["adaptive", "fixed"]


@dataclass(frozen=True)
class HaltingRule:
    """The halting rule of one run of the loop.

    Args:
        mode: ``adaptive`` follows the halting head, ``fixed`` runs every step.
        compares_continue: True: stop when q_halt > q_continue; False: when q_halt > 0.
        max_steps: ACT steps after which every puzzle stops.
        min_steps: ACT steps that every puzzle takes.
        threshold: margin, a logit, by which q_halt must win; 0 is the published rule.
        unchanged: stop, in either mode, when a prediction equals those of this many steps before
            it; 0: never.

    Raises:
        ConfigError: the limits are out of order, the mode is unknown, or the threshold is not
            finite.
    """

    mode: HaltingMode
    compares_continue: bool
    max_steps: int
    min_steps: int = 1
    threshold: float = 0.0
    unchanged: int = 0

    def __post_init__(self) -> None:
        modes = get_args(HaltingMode)
        if self.mode not in modes:
            raise ConfigError(
                f"halting mode must be one of {', '.join(modes)}, but got {self.mode!r}."
            )
        if not 1 <= self.min_steps <= self.max_steps:
            raise ConfigError(
                f"steps must satisfy 1 <= min_steps <= max_steps, but got min_steps "
                f"{self.min_steps} and max_steps {self.max_steps}."
            )
        if self.max_steps > MAX_STEPS:
            raise ConfigError(
                f"max_steps must be at most {MAX_STEPS:,}, but got {self.max_steps:,}."
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
        """Make the rule that a model was trained with.

        Args:
            config: the model.
            mode: as for the class.
            max_steps: as for the class; the model's ``halt_max_steps`` by default.
            min_steps: as for the class.
            threshold: as for the class.
            unchanged: as for the class.

        Raises:
            ConfigError: as for the class.
        """
        if max_steps is None:
            max_steps = config.halt_max_steps
        return cls(
            mode=mode,
            compares_continue=not config.no_ACT_continue,
            max_steps=max_steps,
            min_steps=min_steps,
            threshold=threshold,
            unchanged=unchanged,
        )

    def wants_to_stop(
        self, q_halt: NDArray[np.float32], q_continue: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Read the halting head's decision, whatever the mode and the step.

        Args:
            q_halt: float32 logits of any shape.
            q_continue: float32 logits of the same shape.

        Returns:
            Booleans of the same shape: the head wants to stop.
        """
        limit = q_continue if self.compares_continue else np.zeros_like(q_halt)
        decision: NDArray[np.bool_] = q_halt > limit + np.float32(self.threshold)
        return decision

    def has_reason(
        self,
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        unchanged_steps: NDArray[np.int32] | None = None,
    ) -> NDArray[np.bool_]:
        """Find where the mode gives a reason to stop, regardless of the step limits.

        Args:
            q_halt: float32 logits of any shape.
            q_continue: float32 logits of the same shape.
            unchanged_steps: int32 of the same shape, the number of predictions before the last
                one that equal it; needed where ``unchanged`` is set.

        Returns:
            Booleans of the same shape.

        Raises:
            ConfigError: ``unchanged`` is set, but ``unchanged_steps`` is missing.
        """
        if self.mode == "adaptive":
            reason = self.wants_to_stop(q_halt, q_continue)
        else:
            reason = np.zeros(q_halt.shape, np.bool_)
        if self.unchanged:
            if unchanged_steps is None:
                raise ConfigError(
                    "a rule with unchanged needs unchanged_steps, the number of steps for which "
                    "each prediction has not changed."
                )
            reason = reason | (unchanged_steps >= self.unchanged)
        return reason

    def halted(
        self,
        steps: NDArray[np.int32],
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        unchanged_steps: NDArray[np.int32] | None = None,
    ) -> NDArray[np.bool_]:
        """Decide for every slot whether its puzzle is done.

        Args:
            steps: (B,) int32, ACT steps taken by the puzzle in each slot.
            q_halt: (B,) float32 logits of the last step.
            q_continue: (B,) float32 logits of the last step.
            unchanged_steps: (B,) int32, as in :meth:`has_reason`.

        Returns:
            (B,) booleans: the slot is done.

        Raises:
            ConfigError: as in :meth:`has_reason`.
        """
        stops = self.has_reason(q_halt, q_continue, unchanged_steps) & (steps >= self.min_steps)
        return stops | (steps >= self.max_steps)

    def __str__(self) -> str:
        """Describe the rule; rules that can stop at different steps have different texts."""
        limit = "1 step" if self.max_steps == 1 else f"{self.max_steps} steps"
        if self.mode == "fixed" and not self.unchanged:
            return f"fixed, {limit}"
        suffix = f" or unchanged for {self.unchanged}" if self.unchanged else ""
        minimum = f", at least {self.min_steps}" if self.min_steps > 1 else ""
        steps = f"{minimum}, at most {limit}"
        if self.mode == "fixed":
            return f"fixed{suffix}{steps}"
        return f"adaptive, {self._head_rule()}{suffix}{steps}"

    def _head_rule(self) -> str:
        """The comparison with which the halting head stops."""
        margin = repr(float(abs(self.threshold))).removesuffix(".0")
        sign = "-" if self.threshold < 0 else ""
        if not self.compares_continue:
            return f"q_halt > {sign}{margin}"
        if not self.threshold:
            return "q_halt > q_continue"
        return f"q_halt > q_continue {sign or '+'} {margin}"


def confidence(q_halt: NDArray[Any]) -> NDArray[np.float64]:
    """Turn halting logits into the halting head's probability that the answer is right.

    Args:
        q_halt: logits of any shape, a single one included.

    Returns:
        sigmoid(q_halt), float64 of the same shape. NaN, which a graph in float16 can produce, is no
        confidence at all: 0.

    >>> confidence(np.array([0.0, 2.0], np.float32)).round(3).tolist()
    [0.5, 0.881]
    """
    logits = np.asarray(q_halt, np.float64)
    with np.errstate(over="ignore"):  # exp(1000) is inf, and 1 / inf is the right 0
        probability = 1.0 / (1.0 + np.exp(-logits))
    return np.asarray(np.where(np.isnan(logits), 0.0, probability))


def steps_unchanged(predictions: Tokens) -> NDArray[np.int32]:
    """Count, for every step, the predictions directly before it that equal its own.

    Args:
        predictions: (n, T, L) token ids of n puzzles over T steps.

    Returns:
        (n, T) int32.
    """
    counts: NDArray[np.int32] = np.zeros(predictions.shape[:2], np.int32)
    for step in range(1, counts.shape[1]):
        equal = (predictions[:, step] == predictions[:, step - 1]).all(-1)
        counts[:, step] = np.where(equal, counts[:, step - 1] + 1, 0)
    return counts
