"""Rollouts: several tries at a puzzle, among whose answers a selector chooses.

Tries are judged in the order of their numbers, whatever order they finish in, so an answer does not
depend on how many run at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from trm_edge.errors import ConfigError
from trm_edge.loop.deadline import check_deadline
from trm_edge.loop.exploration import Exploration
from trm_edge.loop.feed import Feed, Intake, as_feed
from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.selection import MostConfident, Selector
from trm_edge.loop.solution import Solution, in_order
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle


@dataclass
class _Job:
    """A puzzle and the tries at it.

    Args:
        index: of the puzzle.
        puzzle: the puzzle.
        due: when its answer is due, by time.monotonic().
        exploration: makes the tries.
        selector: chooses among their answers.
        begun: number of tries begun.
        early: solutions of tries that finished before one with a smaller number.
        solutions: of the first tries, in order, answers mapped back to the puzzle.
        is_done: its answer is chosen.
        timed_out: the deadline came before the choice was decided.
    """

    index: int
    puzzle: Puzzle
    due: float
    exploration: Exploration
    selector: Selector
    begun: int = 0
    early: dict[int, Solution] = field(default_factory=dict)
    solutions: list[Solution] = field(default_factory=list)
    is_done: bool = False
    timed_out: bool = False

    @property
    def in_flight(self) -> int:
        """Number of tries that have begun and not finished."""
        return self.begun - len(self.solutions) - len(self.early)


class _Attempts(Feed[Puzzle]):
    """The tries of all puzzles; further tries come before new puzzles, so that few ever wait.

    Args:
        intake: the puzzles.
        exploration: makes the tries at puzzles for which the feed does not ask for others.
        selector: chooses among the answers to such a puzzle.
        deadline: seconds for all tries at a puzzle.
        ahead: begin tries before those before them have finished, where slots would be empty.
    """

    reacts = True

    def __init__(
        self,
        intake: Intake,
        exploration: Exploration,
        selector: Selector,
        deadline: float,
        *,
        ahead: bool,
    ) -> None:
        self.live = intake.feed.live
        self._intake = intake
        self._exploration = exploration
        self._selector = selector
        self._deadline = deadline
        self._ahead = ahead
        self._waiting: deque[_Job] = deque()
        self._in_flight: dict[int, tuple[_Job, int]] = {}  # by the solver's own index
        self._jobs: dict[int, _Job] = {}  # that are not done, by the puzzle's index
        self._count = 0

    def take(self) -> Puzzle | None:
        job = self._waiting.popleft() if self._waiting else self._new_job()
        if job is None and self._ahead:
            job = self._job_to_speed_up()
        if job is None:
            return None
        self._in_flight[self._count] = (job, job.begun)
        self._count += 1
        job.begun += 1
        return job.exploration.attempt(job.puzzle, job.begun - 1, self._intake.config)

    def wait(self) -> bool:
        return bool(self._waiting) or self._intake.feed.wait()

    def interrupt(self) -> None:
        self._intake.feed.interrupt()

    def ready(self) -> int:
        if not self.live:
            return 0
        return len(self._waiting) + self._intake.feed.ready()

    def is_wanted(self, number: int) -> bool:
        job, _ = self._in_flight[number]
        if not job.is_done and not self._intake.feed.is_wanted(job.index):
            self.close(job)
        if job.is_done:
            del self._in_flight[number]
            return False
        return True

    def due(self, number: int) -> float:
        return self._in_flight[number][0].due

    def options(self, number: int) -> PuzzleOptions | None:
        return self._intake.feed.options(self._in_flight[number][0].index)

    def finish(self, number: int) -> tuple[_Job, int]:
        """Return the job of a finished try, and the number of the try."""
        return self._in_flight.pop(number)

    def again(self, job: _Job) -> None:
        """Try a job once more."""
        self._waiting.append(job)

    def close(self, job: _Job) -> None:
        """Give up the tries that a finished job still has in flight."""
        job.is_done = True
        del self._jobs[job.index]

    def _new_job(self) -> _Job | None:
        item = self._intake.take()
        if item is None:
            return None
        index, puzzle = item
        options = self._intake.feed.options(index) or PuzzleOptions()
        job = _Job(
            index,
            puzzle,
            due=min(self._intake.feed.due(index), time.monotonic() + self._deadline),
            exploration=options.exploration or self._exploration,
            selector=options.selector or self._selector,
        )
        self._jobs[index] = job
        return job

    def _job_to_speed_up(self) -> _Job | None:
        """The job with tries left that has the fewest in flight."""
        unfinished = [job for job in self._jobs.values() if job.begun < job.exploration.tries]
        return min(unfinished, key=lambda job: job.in_flight, default=None)


class Rollouts:
    """Makes several tries at every puzzle, until its selector has decided.

    Args:
        solver: an entered solver, whose halting rule applies to every try, and whose deadline to
            all tries at a puzzle together.
        exploration: what makes the tries differ, and their number. A feed may have another one,
            another selector and another rule for some of its puzzles.
        selector: chooses among their answers; by default the most confident one.
        ahead: begin a puzzle's further tries at once where slots would be empty, instead of waiting
            for the answer of the last one. By default on engines on which more slots cost no time.
            Answers are the same.

    Raises:
        ConfigError: the selector compares changes of the logits, but the solver does not measure
            them, or its halting rule ends tries while they change.
    """

    def __init__(
        self,
        solver: Solver,
        exploration: Exploration,
        selector: Selector | None = None,
        *,
        ahead: bool | None = None,
    ) -> None:
        self.solver = solver
        self.exploration = exploration
        self.selector = selector or MostConfident()
        if self.selector.needs_changes:
            _require_comparable_changes(solver, self.selector)
        self.ahead = solver.backend.is_parallel if ahead is None else ahead

    def solve(
        self, puzzles: Iterable[Puzzle] | Feed[Puzzle], *, ordered: bool = False
    ) -> Iterator[Solution]:
        """Solve a stream of puzzles, as :meth:`Solver.solve` does.

        Each solution is that of the chosen try, but its ``steps`` are those of all tries up to the
        decision: what the answer cost.

        Args:
            puzzles: drawn one by one as slots become free.
            ordered: hand solutions out in the order of the puzzles.

        Raises:
            PuzzleError: tokens or identifier do not fit the model; names the puzzle's index.
            BackendError: the engine failed, or cannot write the carry that a try starts from.
            CancelledError: the solver was cancelled.
        """
        solutions = self._run(as_feed(puzzles), check_deadline(self.solver.deadline))
        return in_order(solutions) if ordered else solutions

    def solve_one(self, puzzle: Puzzle, *, deadline: float | None = None) -> Solution:
        """Solve a single puzzle.

        Args:
            puzzle: the puzzle.
            deadline: seconds until the answer; the solver's own by default.

        Raises:
            ConfigError: the deadline is not positive.
            PuzzleError: tokens or identifier do not fit the model.
            BackendError: the engine failed, or cannot write the carry that a try starts from.
            CancelledError: the solver was cancelled.
        """
        seconds = check_deadline(self.solver.deadline if deadline is None else deadline)
        (solution,) = self._run(as_feed([puzzle]), seconds)
        return solution

    def _run(self, feed: Feed[Puzzle], deadline: float) -> Iterator[Solution]:
        attempts = _Attempts(
            Intake(feed, self.solver.config),
            self.exploration,
            self.selector,
            deadline,
            ahead=self.ahead,
        )
        for solution in self.solver.run(attempts, deadline):
            job, number = attempts.finish(solution.index)
            if job.is_done:
                continue
            job.early[number] = self._mapped_back(job, number, solution)
            if self._is_done(job):
                attempts.close(job)
                yield self._chosen(job)
            elif not job.in_flight:
                attempts.again(job)

    def _is_done(self, job: _Job) -> bool:
        """Judge the tries that have finished, in order."""
        tokens = job.puzzle.tokens
        while len(job.solutions) in job.early:
            job.solutions.append(job.early.pop(len(job.solutions)))
            remaining = job.exploration.tries - len(job.solutions)
            if not remaining or job.selector.is_decided(tokens, job.solutions, remaining):
                return True
        if job.in_flight:
            return False  # of tries that time out together, all have a say
        next_end = time.monotonic() + self.solver.step_times.expected
        job.timed_out = next_end > job.due or any(each.timed_out for each in job.solutions)
        return job.timed_out

    def _chosen(self, job: _Job) -> Solution:
        chosen = job.solutions[job.selector.choose(job.puzzle.tokens, job.solutions)]
        return replace(
            chosen,
            index=job.index,
            steps=sum(solution.steps for solution in job.solutions),
            tries=len(job.solutions),
            timed_out=job.timed_out or chosen.timed_out,
        )

    def _mapped_back(self, job: _Job, number: int, solution: Solution) -> Solution:
        """The solution of a try as one of the puzzle itself."""
        augmentation = job.exploration.augmentation(job.puzzle, number)
        if augmentation is None:
            return solution
        trajectory = solution.trajectory
        if trajectory is not None:
            trajectory = np.stack([augmentation.invert(prediction) for prediction in trajectory])
        return replace(solution, answer=augmentation.invert(solution.answer), trajectory=trajectory)


def _require_comparable_changes(solver: Solver, selector: Selector) -> None:
    """Refuse tries that end while their logits change; those that stop unchanged have settled."""
    if not solver.measure_changes:
        raise ConfigError(f"the selector {selector.name} needs a solver with measure_changes=True.")
    halting = solver.halting
    if halting.mode != "fixed":
        raise ConfigError(
            f"the selector {selector.name} compares how little the logits of each try change at "
            "its end, but halting is adaptive, which ends most tries while they still change. "
            "Choose fixed halting (--halt fixed)."
        )
    if halting.max_steps < 2:
        raise ConfigError(
            f"the selector {selector.name} compares how much the logits change from step to step, "
            "but every try has a single step. Allow 2 or more (--max-steps), or choose with "
            "another selector."
        )
