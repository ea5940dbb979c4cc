"""More tries at one puzzle: other forms of it, and the halting head chooses among the answers.

An augmented puzzle (:class:`~trm_edge.tasks.augmentation.Augmentation`) is a new start that needs
nothing from the engine: its tokens are others, its carry is never touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trm_edge.errors import ConfigError
from trm_edge.loop.solver import Solution, Solver, in_order
from trm_edge.puzzle import Puzzle, check_puzzle
from trm_edge.tasks.augmentation import Augmentation


@dataclass
class _Tried:
    """A puzzle that is out, and the best answer to it so far."""

    index: int
    puzzle: Puzzle
    tries: int = 0
    best: Solution | None = None


class Rollouts:
    """Solves every puzzle in one form after another until the halting head is sure enough.

    Args:
        solver: an entered one, whose halting rule every try follows.
        symmetries: the forms to try, in order.
        sure: the confidence sigmoid(q_halt) at which no further form is tried; 1: try them all.

    Raises:
        ConfigError: nothing to try, or ``sure`` is no probability.
    """

    def __init__(
        self, solver: Solver, augmentations: Sequence[Augmentation], *, min_confidence: float = 1.0
    ) -> None:
        if not augmentations:
            raise ConfigError("rollouts need one form of a puzzle or more, but got none.")
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"min_confidence must lie in 0..1, but got {min_confidence}.")
        self.solver, self.augmentations, self.min_confidence = (
            solver,
            tuple(augmentations),
            min_confidence,
        )

    def solve(self, puzzles: Iterable[Puzzle], *, ordered: bool = False) -> Iterator[Solution]:
        """As :meth:`Solver.solve`; each answer is the one with the highest q_halt of its tries.

        Its ``steps`` are those of all its tries: what it cost. Its ``q_halt`` is the best try's.
        """
        answers = self._run(enumerate(puzzles))
        return in_order(answers) if ordered else answers

    def _run(self, source: Iterator[tuple[int, Puzzle]]) -> Iterator[Solution]:
        again: deque[_Tried] = deque()
        out: dict[int, _Tried] = {}  # by the solver's own index, which counts tries

        def tries() -> Iterator[Puzzle]:
            """Puzzles to try again come before new ones, so that few are ever waiting."""
            number = 0
            while True:
                if again:
                    tried = again.popleft()
                else:
                    item = next(source, None)
                    if item is None:
                        return
                    tried = _Tried(*item)
                    check_puzzle(tried.puzzle, tried.index, self.solver.config)
                out[number] = tried
                number += 1
                form = self.augmentations[tried.tries]
                yield replace(tried.puzzle, tokens=form.apply(tried.puzzle.tokens))

        while True:
            for solution in self.solver.solve(tries()):
                tried = out.pop(solution.index)
                self._note(tried, solution)
                if self._done(tried):
                    if tried.best is not None:
                        yield tried.best
                else:
                    again.append(tried)
            if not again:
                return

    def _note(self, tried: _Tried, solution: Solution) -> None:
        form = self.augmentations[tried.tries]
        tried.tries += 1
        spent = solution.steps + (tried.best.steps if tried.best else 0)
        better = tried.best is None or solution.q_halt[-1] > tried.best.q_halt[-1]
        if better or tried.best is None:
            path = solution.trajectory
            tried.best = replace(
                solution,
                index=tried.index,
                answer=form.invert(solution.answer),
                trajectory=None if path is None else np.stack([form.invert(row) for row in path]),
            )
        tried.best = replace(tried.best, steps=spent)

    def _done(self, tried: _Tried) -> bool:
        min_confidence = tried.best is not None and tried.best.confidence >= self.min_confidence
        return min_confidence or tried.tries == len(self.augmentations)
