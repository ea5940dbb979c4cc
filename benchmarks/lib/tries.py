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


class Recorder(Selector):
    """Keeps the solutions of all tries; ends them where another selector has decided.

    Args:
        compared: number of tries that are made in any case.
        ending: ends further tries; None: all are made.
    """

    name = "q"

    def __init__(self, compared: int = 1, ending: Selector | None = None) -> None:
        self.solutions: dict[bytes, list[Solution]] = {}
        self._compared = compared
        self._ending = ending

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
        """Tell whether the other selector has decided, now or before.

        Args:
            puzzle: (L,) token ids.
            solutions: of the tries so far.
            remaining: number of tries that are left.
        """
        if self._ending is None or len(solutions) < self._compared:
            return False
        total = len(solutions) + remaining
        for count in range(1, len(solutions) + 1):
            if self._ending.is_decided(puzzle, solutions[:count], total - count):
                return True
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

    @classmethod
    def at_steps(cls, right: NDArray[np.bool_], last: NDArray[Any]) -> Outcome:
        """Make the outcome of single tries that end at some step.

        Args:
            right: (n, T) bool, after every step.
            last: (n,) integer, index of the step at which each ends.
        """
        steps = last.astype(np.int64) + 1
        return cls(right[np.arange(len(right)), last], steps, np.ones_like(steps))

    def to_row(self) -> dict[str, Any]:
        """As :meth:`to_dict`, and which puzzles were solved, as the hexadecimal bits ``solved``."""
        return {**self.to_dict(), "solved": np.packbits(self.right).tobytes().hex()}

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
        cls,
        solver: Solver,
        exploration: Exploration,
        puzzles: PuzzleSet,
        track: Track,
        label: str,
        recorder: Recorder | None = None,
    ) -> Tries:
        """Run the tries.

        Args:
            solver: an entered solver that measures changes, or traces predictions.
            exploration: what makes the tries differ.
            puzzles: the set.
            track: reports progress.
            label: description of the progress.
            recorder: ends the tries at a puzzle; by default all are made.
        """
        recorder = recorder or Recorder()
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

        Raises:
            ValueError: a puzzle has fewer tries, and the selector has not decided.
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
            if count > len(solutions):
                raise ValueError(
                    f"the selector {selector.name} needs {count} tries, but only "
                    f"{len(solutions)} were made."
                )
            chosen = solutions[selector.choose(puzzle.tokens, solutions[:count])]
            right.append(bool((chosen.answer == answer).all()))
            steps.append(sum(solution.steps for solution in solutions[:count]))
            made.append(count)
        return Outcome(np.array(right), np.array(steps), np.array(made))
