"""Attempts at the same puzzles, every step of which is kept so that any halting rule applies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.tries import Outcome, Tries
from trm_edge.evaluation.vectors import halting_steps
from trm_edge.loop.halting import HaltingRule, confidence

Array = NDArray[Any]


class Attempts:
    """k attempts at n puzzles, T steps each.

    Args:
        predictions: token ids (k, n, T, L) after every step.
        q_halt: logits (k, n, T), float32.
        q_continue: logits (k, n, T), float32.
        answers: correct token ids (n, L).
    """

    def __init__(
        self, predictions: Array, q_halt: Array, q_continue: Array, answers: Array
    ) -> None:
        self.predictions = predictions
        self.q_halt = q_halt
        self.q_continue = q_continue
        self.right = (predictions == answers[:, None]).all(-1)

    @classmethod
    def of(cls, tries: Tries) -> Attempts:
        """Keep every step of tries.

        Args:
            tries: as many at each puzzle, of a solver that traces predictions and runs all steps.
        """
        predictions = []
        q_halt = []
        q_continue = []
        for solutions in zip(*tries.solutions, strict=True):  # of one try at each puzzle
            predictions.append(np.stack([solution.trajectory for solution in solutions]))
            q_halt.append(np.stack([solution.q_halt for solution in solutions]))
            q_continue.append(np.stack([solution.q_continue for solution in solutions]))
        return cls(
            np.stack(predictions), np.stack(q_halt), np.stack(q_continue), tries.puzzles.answers
        )

    def stop(self, rule: HaltingRule, tries: int) -> tuple[Array, Array, Array]:
        """Apply a halting rule to the first attempts.

        Args:
            rule: the halting rule.
            tries: number of attempts.

        Returns:
            Right, q_halt and number of steps at the step where the rule stops, each (tries, n).
        """
        steps_by_try = []
        for index in range(tries):
            steps = halting_steps(
                rule, self.q_halt[index], self.q_continue[index], self.predictions[index]
            )
            steps_by_try.append(steps)
        steps = np.stack(steps_by_try)
        last = steps[..., None] - 1
        right = np.take_along_axis(self.right[:tries], last, -1)[..., 0]
        q_halt = np.take_along_axis(self.q_halt[:tries], last, -1)[..., 0]
        return right, q_halt, steps

    def best(
        self, rule: HaltingRule, tries: int = 1, min_confidence: float = 1.0
    ) -> dict[str, Any]:
        """Choose among attempts as ``trm_edge.loop.rollouts`` does: the highest q_halt wins.

        Args:
            rule: the halting rule.
            tries: number of attempts, at most.
            min_confidence: no further attempt once sigmoid(q_halt) reaches this.

        Returns:
            Exact match with its 95 % interval, and the mean numbers of steps and tries.
        """
        right, q_halt, steps = self.stop(rule, tries)
        enough = confidence(q_halt) >= min_confidence
        last_try = np.where(enough.any(0), enough.argmax(0), tries - 1)
        tried = np.arange(tries)[:, None] <= last_try
        best_try = np.where(tried, q_halt, -np.inf).argmax(0)
        solved = right[best_try, np.arange(right.shape[1])]
        return Outcome(solved, (steps * tried).sum(0), tried.sum(0)).to_dict()
