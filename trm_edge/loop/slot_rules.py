"""The halting rules of slots: the solver's own, but for puzzles that bring one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError
from trm_edge.loop.halting import HaltingRule


class SlotRules:
    """Decides for every slot by the rule of its puzzle.

    Args:
        default: of puzzles without a rule of their own.
    """

    def __init__(self, default: HaltingRule) -> None:
        self._default = default
        self._own: dict[int, HaltingRule] = {}  # by slot

    def load(self, slot: int, rule: HaltingRule | None) -> None:
        """Set the rule of the puzzle that a slot takes.

        Args:
            slot: index of the slot.
            rule: of the puzzle; None: the default.

        Raises:
            ConfigError: the rule needs more than the default has room for; see :func:`check_rule`.
        """
        self._own.pop(slot, None)
        if rule is not None and rule != self._default:
            check_rule(rule, self._default)
            self._own[slot] = rule

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep some of the slots alone.

        Args:
            slots: (n,) int64, indices of the slots that remain, in their new order.
        """
        own = {}
        for new, old in enumerate(slots.tolist()):
            if old in self._own:
                own[new] = self._own[old]
        self._own = own

    def halted(
        self,
        steps: NDArray[np.int32],
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        unchanged_steps: NDArray[np.int32],
    ) -> NDArray[np.bool_]:
        """Decide for every slot whether its puzzle is done, as :meth:`HaltingRule.halted` does.

        Args:
            steps: (B,) int32, ACT steps (adaptive computation time) of the puzzle in each slot.
            q_halt: (B,) float32 logits of the last step.
            q_continue: (B,) float32 logits of the last step.
            unchanged_steps: (B,) int32, predictions before the last one that equal it.

        Returns:
            (B,) booleans: the slot is done.
        """
        done = self._default.halted(steps, q_halt, q_continue, unchanged_steps)
        for rule, slots in self._groups():
            done[slots] = rule.halted(
                steps[slots], q_halt[slots], q_continue[slots], unchanged_steps[slots]
            )
        return done

    def held(
        self,
        q_halt: NDArray[np.float32],
        q_continue: NDArray[np.float32],
        unchanged_steps: NDArray[np.int32],
    ) -> NDArray[np.bool_]:
        """Tell for every slot whether its rule holds, or the head wants to stop in any mode.

        Args:
            q_halt: (B,) float32 logits of the last step.
            q_continue: (B,) float32 logits of the last step.
            unchanged_steps: (B,) int32, as in :meth:`halted`.

        Returns:
            (B,) booleans; False where only the step limit ends the puzzle.
        """
        holds = _holds(self._default, q_halt, q_continue, unchanged_steps)
        for rule, slots in self._groups():
            holds[slots] = _holds(rule, q_halt[slots], q_continue[slots], unchanged_steps[slots])
        return holds

    def _groups(self) -> list[tuple[HaltingRule, list[int]]]:
        """The rules that are not the default, each with its slots."""
        groups: dict[HaltingRule, list[int]] = {}
        for slot, rule in self._own.items():
            groups.setdefault(rule, []).append(slot)
        return list(groups.items())


def check_rule(rule: HaltingRule, default: HaltingRule) -> None:
    """Refuse the rule of a puzzle that the solver's slots have no room for.

    Args:
        rule: of the puzzle.
        default: of the solver.

    Raises:
        ConfigError: the rule allows more steps, or stops on unchanged predictions, which are not
            recorded.
    """
    if rule.max_steps > default.max_steps:
        raise ConfigError(
            f"max_steps of a puzzle must be at most that of the solver, {default.max_steps}, but "
            f"got {rule.max_steps}."
        )
    if rule.unchanged and not default.unchanged:
        raise ConfigError(
            f"a puzzle asks to stop after {rule.unchanged} unchanged predictions, but the solver "
            "does not compare them. Give the solver's own rule an `unchanged`, too."
        )


def _holds(
    rule: HaltingRule,
    q_halt: NDArray[np.float32],
    q_continue: NDArray[np.float32],
    unchanged_steps: NDArray[np.int32],
) -> NDArray[np.bool_]:
    head = rule.wants_to_stop(q_halt, q_continue)
    return head | rule.has_reason(q_halt, q_continue, unchanged_steps)
