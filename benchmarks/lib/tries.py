"""Tries at the same puzzles, recorded in full, so that every selector can choose among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trm_edge.evaluation.statistics import wilson_interval
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.rollouts import Rollouts
from trm_edge.loop.selection import Selector
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track
from trm_edge.puzzle import Puzzle


class PuzzleSet(NamedTuple):
    """Puzzles with their answers.

    Args:
        name: for the table.
        puzzles: n puzzles.
        answers: (n, L) token ids.
    """

    name: str
    puzzles: list[Puzzle]
    answers: NDArray[Any]


class Everything(Selector):
    """Keeps the solutions of all tries, and decides nothing."""

    name = "q"

    def __init__(self) -> None:
        self.solutions: dict[bytes, list[Solution]] = {}  # by the puzzle's tokens

    def choose(self, puzzle: NDArray[Any], solutions: Sequence[Solution]) -> int:
        """Record the solutions.

        Args:
            puzzle: (L,) token ids.
            solutions: of all tries.
        """
        self.solutions[puzzle.tobytes()] = list(solutions)
        return 0

    def is_decided(
        self, puzzle: NDArray[Any], solutions: Sequence[Solution], remaining: int
    ) -> bool:
        """Always ask for more.

        Args:
            puzzle: (L,) token ids.
            solutions: of the tries so far.
            remaining: number of tries that are left.
        """
        return False


@dataclass(frozen=True)
class Outcome:
    """What a choice among tries comes to.

    Args:
        right: (n,) bool.
        steps: (n,) ACT steps (adaptive computation time) until the choice was decided.
        tries: (n,) tries until then.
    """

    right: NDArray[np.bool_]
    steps: NDArray[np.int64]
    tries: NDArray[np.int64]

    def to_dict(self) -> dict[str, Any]:
        """Exact match with its 95 % interval, and the mean numbers of steps and tries."""
        solved = int(self.right.sum())
        return {
            "exact": solved / len(self.right),
            "interval": list(wilson_interval(solved, len(self.right))),
            "steps": float(self.steps.mean()),
            "tries": float(self.tries.mean()),
        }


class Tries:
    """All tries at all puzzles of a set.

    Args:
        puzzles: the set.
        solutions: of each puzzle, in the order of the tries.
    """

    def __init__(self, puzzles: PuzzleSet, solutions: list[list[Solution]]) -> None:
        self.puzzles = puzzles
        self.solutions = solutions

    @classmethod
    def make(
        cls, solver: Solver, exploration: Exploration, puzzles: PuzzleSet, track: Track, label: str
    ) -> Tries:
        """Run every try.

        Args:
            solver: an entered solver that measures changes.
            exploration: what makes the tries differ.
            puzzles: the set.
            track: reports progress.
            label: description of the progress.
        """
        recorder = Everything()
        rollouts = Rollouts(solver, exploration, recorder)
        for _ in track(rollouts.solve(puzzles.puzzles), label, len(puzzles.puzzles)):
            pass
        recorded = [recorder.solutions[puzzle.tokens.tobytes()] for puzzle in puzzles.puzzles]
        return cls(puzzles, recorded)

    def outcome(self, selector: Selector, tries: int) -> Outcome:
        """Let a selector choose among the first tries, and end them once it has decided.

        Args:
            selector: the selector.
            tries: number of tries, at most.
        """
        right = []
        steps = []
        made = []
        for puzzle, answer, solutions in zip(
            self.puzzles.puzzles, self.puzzles.answers, self.solutions, strict=True
        ):
            count = 1
            while count < tries and not selector.is_decided(
                puzzle.tokens, solutions[:count], tries - count
            ):
                count += 1
            chosen = solutions[selector.choose(puzzle.tokens, solutions[:count])]
            right.append(bool((chosen.answer == answer).all()))
            steps.append(sum(solution.steps for solution in solutions[:count]))
            made.append(count)
        return Outcome(np.array(right), np.array(steps), np.array(made))

    def any_right(self, tries: int) -> float:
        """Share of the puzzles that at least one of the first tries solves.

        Args:
            tries: number of tries.
        """
        solved = 0
        for answer, solutions in zip(self.puzzles.answers, self.solutions, strict=True):
            solved += any((solution.answer == answer).all() for solution in solutions[:tries])
        return solved / len(self.solutions)
