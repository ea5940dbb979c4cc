"""Selectors: which of several answers to a puzzle is handed out, and when that is decided."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import ConfigError
from trm_edge.loop.solution import Solution
from trm_edge.tasks.base import Task

SelectorName = Literal["q", "mode", "settled", "valid"]
_SETTLING_STEPS = 3  # last steps whose changes are compared

# Judges an answer (L,) to a puzzle (L,), both token ids.
Judge = Callable[[NDArray[Any], NDArray[Any]], bool]


class Selector(ABC):
    """Chooses among the solutions of the tries at one puzzle.

    Attributes:
        name: for the command line.
        needs_changes: solutions must have ``changes``.
    """

    name: SelectorName
    needs_changes: bool = False

    @abstractmethod
    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Choose one of the solutions.

        Args:
            puzzle: (L,) token ids.
            solutions: one or more, in the order of the tries.

        Returns:
            Its index.
        """

    @abstractmethod
    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Tell whether more tries are not worth making, or cannot change the choice.

        Args:
            puzzle: (L,) token ids.
            solutions: of the tries so far, in their order; the last one is new.
            remaining: number of tries that are left.
        """


class MostConfident(Selector):
    """Chooses the answer with the largest q_halt.

    Args:
        min_confidence: no further try once sigmoid(q_halt) reaches this; 1: make them all.

    Raises:
        ConfigError: ``min_confidence`` is not in 0..1.
    """

    name = "q"

    def __init__(self, min_confidence: float = 1.0) -> None:
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"min_confidence must lie in 0..1, but got {min_confidence}.")
        self.min_confidence = min_confidence

    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Choose the first solution with the largest q_halt.

        Args:
            puzzle: not looked at.
            solutions: one or more.
        """
        return int(np.argmax([solution.logit for solution in solutions]))

    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Tell whether the last try is confident enough.

        Args:
            puzzle: not looked at.
            solutions: of the tries so far.
            remaining: not looked at.
        """
        return solutions[-1].confidence >= self.min_confidence


class MostFrequent(Selector):
    """Chooses the most frequent answer; of several, the one with the largest mean q_halt."""

    name = "mode"

    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Choose the most confident solution with the most frequent answer.

        Args:
            puzzle: not looked at.
            solutions: one or more.
        """
        votes = _votes(solutions)

        def rank(indices: list[int]) -> tuple[int, float]:
            return len(indices), float(np.mean([solutions[i].logit for i in indices]))

        winners = max(votes.values(), key=rank)
        return max(winners, key=lambda index: solutions[index].logit)

    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Tell whether no other answer can catch up.

        Args:
            puzzle: not looked at.
            solutions: of the tries so far.
            remaining: number of tries that are left.
        """
        counts = sorted((len(indices) for indices in _votes(solutions).values()), reverse=True)
        second = counts[1] if len(counts) > 1 else 0
        return counts[0] > second + remaining


class MostSettled(Selector):
    """Chooses the answer whose logits changed least over the last steps (arXiv 2605.21488)."""

    name = "settled"
    needs_changes = True

    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Choose the solution with the smallest mean change.

        Args:
            puzzle: not looked at.
            solutions: one or more, with their changes.

        Raises:
            ConfigError: the solver does not measure changes.
        """
        changes = []
        for solution in solutions:
            if solution.changes is None:
                raise ConfigError(
                    "choosing the settled answer needs a solver with measure_changes=True."
                )
            changes.append(_last_change(solution.changes))
        return int(np.argmin(changes))

    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Any further try may be more settled.

        Args:
            puzzle: not looked at.
            solutions: not looked at.
            remaining: not looked at.
        """
        return False


class FirstValid(Selector):
    """Chooses the first answer that the task's rule accepts, else the most confident one.

    Args:
        judge: the task's rule.
    """

    name = "valid"

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._most_confident = MostConfident()

    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Choose the first valid solution.

        Args:
            puzzle: (L,) token ids.
            solutions: one or more.
        """
        for index, solution in enumerate(solutions):
            if self._judge(puzzle, solution.answer):
                return index
        return self._most_confident.choose(puzzle, solutions)

    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Tell whether the last try's answer is valid.

        Args:
            puzzle: (L,) token ids.
            solutions: of the tries so far.
            remaining: not looked at.
        """
        return self._judge(puzzle, solutions[-1].answer)


def selector_for(
    task: Task, name: SelectorName | None = None, *, min_confidence: float = 1.0
) -> Selector:
    """Make a selector by name.

    Args:
        task: whose rule the selector ``valid`` asks.
        name: of the selector; by default ``valid`` where the task has a rule, and ``q`` elsewhere.
        min_confidence: of the selector ``q``: no further try once the confidence reaches it.

    Raises:
        ConfigError: the task has no rule that can accept an answer, there is no selector of that
            name, or ``min_confidence`` is not in 0..1.
    """
    if name is None:
        name = "valid" if task.judges else "q"
    if name == "q":
        return MostConfident(min_confidence)
    if name == "mode":
        return MostFrequent()
    if name == "settled":
        return MostSettled()
    if name not in get_args(SelectorName):
        names = ", ".join(get_args(SelectorName))
        raise ConfigError(f"the selector must be one of {names}, but got {name!r}.")
    if not task.judges:
        raise ConfigError(
            f"the task {task.name} has no rule that accepts an answer, so the selector valid "
            "cannot choose. Choose with q, mode or settled."
        )
    return FirstValid(lambda puzzle, answer: task.problem(puzzle, answer) is None)


def _last_change(changes: NDArray[np.float32]) -> float:
    """The mean change over the last steps; infinite where there is none, or one that is NaN."""
    last = changes[1:][-_SETTLING_STEPS:]  # nothing comes before the first step
    if not len(last):
        return math.inf
    mean = float(last.mean())
    return math.inf if math.isnan(mean) else mean


def _votes(solutions: Sequence[Solution]) -> dict[bytes, list[int]]:
    """Indices of the solutions by their answer."""
    votes: dict[bytes, list[int]] = {}
    for index, solution in enumerate(solutions):
        votes.setdefault(solution.answer.tobytes(), []).append(index)
    return votes
