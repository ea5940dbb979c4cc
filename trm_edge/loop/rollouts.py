"""Rollouts: several attempts at a puzzle, among whose answers the halting head chooses.

Every attempt solves another augmentation of the puzzle
(:class:`~trm_edge.tasks.augmentation.Augmentation`). This needs nothing from the engine: only the
tokens differ, and the carry is never touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trm_edge.errors import ConfigError
from trm_edge.loop.feed import Feed, Intake, as_feed
from trm_edge.loop.solution import Solution, in_order
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.augmentation import PuzzleAugmentation


@dataclass
class _Job:
    """A puzzle, the number of attempts at it so far, and the best of their solutions."""

    index: int
    puzzle: Puzzle
    attempts: int = 0
    best: Solution | None = None


class _Attempts(Feed[Puzzle]):
    """Augmented puzzles; further attempts come before new puzzles, so that few ever wait."""

    def __init__(self, intake: Intake, augmentations: Sequence[PuzzleAugmentation]) -> None:
        self.live = intake.feed.live
        self._intake = intake
        self._augmentations = augmentations
        self._waiting: deque[_Job] = deque()
        self._in_flight: dict[int, _Job] = {}  # by the solver's own index, which counts attempts
        self._count = 0

    def take(self) -> Puzzle | None:
        job = self._waiting.popleft() if self._waiting else self._new_job()
        if job is None:
            return None
        self._in_flight[self._count] = job
        self._count += 1
        augmentation = self._augmentations[job.attempts].for_puzzle(job.puzzle.tokens)
        return replace(job.puzzle, tokens=augmentation.apply(job.puzzle.tokens))

    def wait(self) -> bool:
        return bool(self._waiting) or self._intake.feed.wait()

    def ready(self) -> int:
        return len(self._waiting) + self._intake.feed.ready() if self.live else 0

    def finish(self, number: int) -> _Job:
        """Return the job of a finished attempt."""
        return self._in_flight.pop(number)

    def again(self, job: _Job) -> None:
        """Attempt a job once more."""
        self._waiting.append(job)

    def _new_job(self) -> _Job | None:
        item = self._intake.take()
        return None if item is None else _Job(*item)


class Rollouts:
    """Attempts every puzzle in one augmentation after another until the confidence suffices.

    Args:
        solver: an entered solver, whose halting rule applies to every attempt.
        augmentations: the augmentations to attempt, in order.
        min_confidence: no further attempt once sigmoid(q_halt) reaches this; 1: attempt them all.

    Raises:
        ConfigError: there are no augmentations, or ``min_confidence`` is not in 0..1.
    """

    def __init__(
        self,
        solver: Solver,
        augmentations: Sequence[PuzzleAugmentation],
        *,
        min_confidence: float = 1.0,
    ) -> None:
        if not augmentations:
            raise ConfigError("rollouts need at least one augmentation, but got none.")
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"min_confidence must lie in 0..1, but got {min_confidence}.")
        self.solver = solver
        self.augmentations = tuple(augmentations)
        self.min_confidence = min_confidence

    def solve(
        self, puzzles: Iterable[Puzzle] | Feed[Puzzle], *, ordered: bool = False
    ) -> Iterator[Solution]:
        """Solve a stream of puzzles, as :meth:`Solver.solve` does.

        Each solution is that of the attempt with the highest q_halt, but its ``steps`` are those of
        all attempts together: what the answer cost.

        Args:
            puzzles: drawn one by one as slots become free.
            ordered: hand solutions out in the order of the puzzles.

        Raises:
            PuzzleError: tokens or identifier do not fit the model; names the puzzle's index.
            BackendError: the engine failed.
        """
        solutions = self._run(as_feed(puzzles))
        return in_order(solutions) if ordered else solutions

    def _run(self, feed: Feed[Puzzle]) -> Iterator[Solution]:
        attempts = _Attempts(Intake(feed, self.solver.config), self.augmentations)
        for solution in self.solver.solve(attempts):
            job = attempts.finish(solution.index)
            best = self._record(job, solution)
            job.best = best
            if self._done(job, best):
                yield best
            else:
                attempts.again(job)

    def _record(self, job: _Job, solution: Solution) -> Solution:
        """Count an attempt and return the best solution so far, with the steps of all."""
        augmentation = self.augmentations[job.attempts].for_puzzle(job.puzzle.tokens)
        job.attempts += 1
        best = job.best
        steps = solution.steps + (best.steps if best else 0)
        if best is not None and not solution.q_halt[-1] > best.q_halt[-1]:
            return replace(best, steps=steps)
        trajectory = solution.trajectory
        if trajectory is not None:
            trajectory = np.stack([augmentation.invert(prediction) for prediction in trajectory])
        return replace(
            solution,
            index=job.index,
            answer=augmentation.invert(solution.answer),
            trajectory=trajectory,
            steps=steps,
        )

    def _done(self, job: _Job, best: Solution) -> bool:
        if job.attempts == len(self.augmentations):
            return True
        return best.confidence >= self.min_confidence
