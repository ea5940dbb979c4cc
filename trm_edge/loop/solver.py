"""The halting loop: continuous batching of puzzles over the slots of a backend.

A batch is a set of slots. After every ACT step, each slot whose puzzle halted hands out its answer
and takes the next puzzle at once. The cost of the loop therefore follows the average number of
steps, not the slowest puzzle. When no puzzle is left, the batch shrinks to the slots still in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from math import inf
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trm_edge.backends.base import Backend
from trm_edge.errors import ConfigError
from trm_edge.loop.deadline import StepTimes, check_deadline
from trm_edge.loop.feed import Feed, Intake, as_feed
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.slots import SlotGroup
from trm_edge.loop.solution import Solution, in_order
from trm_edge.loop.turns import Turn, Turns
from trm_edge.puzzle import Puzzle
from trm_edge.puzzle_table import PuzzleTable

# Called after every step with the indices (B,) of the puzzles in the slots and the steps (B,) that
# they have taken, while the backend still holds the outputs of that step.
StepCallback = Callable[[NDArray[np.int64], NDArray[np.int32]], None]


_WARM_UP_STEPS = 4


class Solver:
    """Runs a stream of puzzles through a backend.

    A context manager: the backend is loaded on entry and freed on exit.

    Args:
        backend: any engine that keeps the step contract.
        puzzle_embeddings: (N, E), required where the model has a table; may be memory-mapped,
            or of INT8 rows.
        halting: when a puzzle stops; by default the model's own rule, adaptive.
        batch: number of slots.
        trace: keep the prediction of every step.
        measure_changes: measure how much the logits of every answer change from step to step.
        deadline: seconds from taking a puzzle to handing out its answer. A puzzle takes at least
            one step, and no further one that would end too late. Its answer is then that of the
            last step, marked as ``timed_out``.
        watch: called after every step with the indices (B,) int64 of the puzzles in the slots and
            the steps (B,) int32 that they have taken, while the backend still holds that step's
            output.

    Raises:
        ConfigError: the batch or the deadline is not positive, or the table is missing or has
            another shape; on entry, the deadline is shorter than a step takes.
    """

    def __init__(
        self,
        backend: Backend,
        puzzle_embeddings: PuzzleTable | None = None,
        *,
        halting: HaltingRule | None = None,
        batch: int = 32,
        trace: bool = False,
        measure_changes: bool = False,
        deadline: float | None = None,
        watch: StepCallback | None = None,
    ) -> None:
        config = backend.config
        check_deadline(deadline)
        if batch < 1:
            raise ConfigError(f"batch must be 1 or more, but got {batch}.")
        if config.puzzle_emb_ndim:
            expected = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
            actual = None if puzzle_embeddings is None else puzzle_embeddings.shape
            if actual != expected:
                raise ConfigError(
                    f"puzzle_embeddings must have shape {expected}, but got {actual}."
                )
        self.backend = backend
        self.config = config
        self.puzzle_embeddings = puzzle_embeddings if config.puzzle_emb_ndim else None
        self.halting = halting or HaltingRule.from_config(config)
        self.batch = batch
        self.trace = trace
        self.measure_changes = measure_changes
        self.deadline = deadline
        self.watch = watch
        self.step_times = StepTimes()
        self._turns = Turns()
        self.slot_steps = 0  # ACT steps over all puzzles; no slot is ever idle
        self.capacity_steps = 0  # the same, had every slot held a puzzle in every step

    def __enter__(self) -> Solver:
        self.backend.activate()
        if self.deadline is not None:
            try:
                self._warm_up(self.deadline)
            except BaseException:
                self.backend.deactivate()
                raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.backend.deactivate()

    def solve(
        self, puzzles: Iterable[Puzzle] | Feed[Puzzle], *, ordered: bool = False
    ) -> Iterator[Solution]:
        """Solve a stream of puzzles of any length; memory does not grow with it.

        Args:
            puzzles: drawn one by one as slots become free. The loop waits for an iterable that is
                slow to give the next one; of a :class:`~trm_edge.loop.feed.LiveFeed` it takes
                what is there, and hands out every answer before it waits for more.
            ordered: hand solutions out in the order of the puzzles; at most ``batch * max_steps``
                of them wait. Otherwise they come as they are done.

        Raises:
            PuzzleError: tokens or identifier do not fit the model; names the puzzle's index.
            BackendError: the engine failed.
            CancelledError: :meth:`cancel` was called meanwhile.
        """
        solutions = self.run(as_feed(puzzles), check_deadline(self.deadline))
        return in_order(solutions) if ordered else solutions

    def solve_one(self, puzzle: Puzzle | ArrayLike, *, deadline: float | None = None) -> Solution:
        """Solve a single puzzle.

        Args:
            puzzle: a puzzle, or its (L,) token ids where the model knows no identifiers.
            deadline: seconds until the answer; the solver's own by default.

        Raises:
            ConfigError: the deadline is not positive.
            PuzzleError: tokens or identifier do not fit the model.
            BackendError: the engine failed.
            CancelledError: :meth:`cancel` was called meanwhile.
        """
        if not isinstance(puzzle, Puzzle):
            puzzle = Puzzle(np.asarray(puzzle))
        seconds = check_deadline(self.deadline if deadline is None else deadline)
        (solution,) = self.run(as_feed([puzzle]), seconds)
        return solution

    def cancel(self) -> None:
        """Let what is being solved end with a CancelledError after its current step.

        This may be called from any thread, and does nothing where nothing is being solved. A stream
        that waits for a :class:`~trm_edge.loop.feed.LiveFeed` ends at once; an iterable that is
        waited for cannot be interrupted. The solver can be used again afterwards.
        """
        self._turns.cancel()

    def run(self, feed: Feed[Puzzle], deadline: float) -> Iterator[Solution]:
        """Solve the puzzles of a feed, as :meth:`solve` does.

        Args:
            feed: the puzzles.
            deadline: seconds from taking a puzzle to handing out its answer; infinity: none.

        Raises:
            PuzzleError: tokens or identifier do not fit the model; names the puzzle's index.
            BackendError: the engine failed, or another stream uses the solver.
            CancelledError: :meth:`cancel` was called meanwhile.
        """
        turn = Turn(feed)
        self._turns.begin(turn)
        try:
            batches = self._run(turn, feed, deadline)
            while True:
                with self._turns.hold(turn):
                    solutions = next(batches, None)
                if solutions is None:
                    return
                yield from solutions
        finally:
            self._turns.end(turn)

    def _run(self, turn: Turn, feed: Feed[Puzzle], deadline: float) -> Iterator[list[Solution]]:
        """Hand out the solutions of each step together; there may be none."""
        groups = self._slot_groups(Intake(feed, self.config), deadline)
        # A writer that waits for its answer gets it before its next puzzle is asked for, and so
        # does a feed that needs the answers, and a caller who has set a deadline. Elsewhere the
        # next step runs while the caller deals with the solutions of this one.
        answers_first = feed.live or feed.reacts or self.batch == 1 or deadline < inf
        while True:
            for group in groups:
                turn.check()
                solutions: list[Solution] = []
                if len(group):
                    solutions = self._finish_step(group)
                    while answers_first and solutions:
                        yield solutions
                        solutions = group.retire()
                    group.refill()
                else:
                    group.fill()
                if len(group):
                    group.launch_step()
                if solutions:
                    yield solutions
            if not any(map(len, groups)) and not feed.wait():
                return

    def _warm_up(self, deadline: float) -> None:
        """Run steps, the first of which are slow, and refuse a deadline that one step breaks."""
        if self.batch > 1:
            self._step_seconds(1)  # what solve_one runs
        seconds = self._step_seconds(self.batch)
        if seconds > deadline:
            raise ConfigError(
                f"the deadline of {1e3 * deadline:g} ms is shorter than one step, which takes "
                f"{1e3 * seconds:.3g} ms with {self.batch} slots on this machine. Allow more time"
                f"{', or use fewer slots (--batch)' if self.batch > 1 else ''}."
            )

    def _step_seconds(self, slots: int) -> float:
        """Seconds of the fastest of a few steps, whose times are recorded."""
        tokens = np.zeros((slots, self.config.seq_len), np.int32)
        embedding = None
        if self.puzzle_embeddings is not None:
            embedding = np.zeros((slots, self.puzzle_embeddings.shape[1]), np.float32)
        reset = np.ones(slots, np.bool_)
        self.backend.start(slots)
        times = []
        for _ in range(_WARM_UP_STEPS):
            start = time.monotonic()
            self.backend.launch_step(tokens, embedding, reset)
            self.backend.wait_step()
            times.append(time.monotonic() - start)
            self.step_times.record(times[-1], slots)
        return min(times)

    def _finish_step(self, group: SlotGroup) -> list[Solution]:
        group.wait_step()
        self.slot_steps += len(group)
        self.capacity_steps += group.capacity
        if self.watch is not None:
            self.watch(group.indices.copy(), group.steps.copy())
        return group.retire()

    def _slot_groups(self, intake: Intake, deadline: float) -> list[SlotGroup]:
        """Share the slots among the backend's slot groups."""
        backends: tuple[Backend, ...] = (self.backend,)
        # With `watch` and `trace` the caller asks the backend after every step, so it gets one.
        # With two, the answers of one would wait for a step of the other.
        if not self.trace and self.watch is None and deadline == inf:
            backends = self.backend.slot_groups(self.batch)
        groups = []
        for number, backend in enumerate(backends):
            slots = self.batch // len(backends)
            if number < self.batch % len(backends):
                slots += 1
            if slots:
                groups.append(
                    SlotGroup(
                        backend,
                        self.halting,
                        intake,
                        slots,
                        self.puzzle_embeddings,
                        trace=self.trace,
                        measure_changes=self.measure_changes,
                        deadline=deadline,
                        step_times=self.step_times,
                    )
                )
        return groups
