"""A slot group: the slots of one backend, their steps, and the puzzles in them."""

from __future__ import annotations

import time
from math import inf

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.loop.deadline import StepTimes
from trm_edge.loop.feed import Intake
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.perturbation import Perturbation
from trm_edge.loop.slot_rules import SlotRules
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle, Tokens, token_dtype
from trm_edge.puzzle_table import PuzzleTable


class SlotGroup:
    """Slots that one backend advances together.

    Args:
        backend: an activated backend; it is started with the number of slots.
        halting: when a slot is done, unless the feed has another rule for its puzzle.
        intake: numbered puzzles; other groups may take from the same one.
        capacity: slots at most; fewer where fewer puzzles are there.
        table: (N, E) puzzle embeddings, where the model has them.
        trace: keep the prediction of every step.
        measure_changes: measure how much the logits change from step to step.
        deadline: seconds from taking a puzzle to its answer.
        step_times: the times of earlier steps; this group's are added.

    Attributes:
        capacity: as above.
        indices: (B,) int64, number of the puzzle in each slot.
        steps: (B,) int32, ACT steps that each of these puzzles has taken.
    """

    indices: NDArray[np.int64]
    steps: NDArray[np.int32]

    def __init__(
        self,
        backend: Backend,
        halting: HaltingRule,
        intake: Intake,
        capacity: int,
        table: PuzzleTable | None,
        *,
        trace: bool = False,
        measure_changes: bool = False,
        deadline: float = inf,
        step_times: StepTimes | None = None,
    ) -> None:
        self.backend = backend
        self.halting = halting
        self._intake = intake
        self.capacity = capacity
        self._table = table
        self._trace = trace
        self._measures_changes = measure_changes
        self._deadline = deadline
        self._step_times = step_times or StepTimes()
        self._launched: float | None = None  # by time.monotonic(), a step whose time is not known
        self._allocate(0)

    def fill(self) -> None:
        """Begin with the puzzles that are there, where the group has no slots left.

        Raises:
            PuzzleError: a puzzle does not fit the model.
            BackendError: the backend cannot run that many slots.
        """
        puzzles: list[tuple[int, Puzzle]] = []
        due: list[float] = []
        while len(puzzles) < self.capacity:
            item = self._intake.take()
            if item is None:
                break
            puzzles.append(item)
            due.append(self._due_time(item[0]))
        self._allocate(len(puzzles))
        for slot, (index, puzzle) in enumerate(puzzles):
            self._load(slot, index, puzzle)
        self._due[:] = due
        if puzzles:
            self.backend.start(len(puzzles))

    def _allocate(self, count: int) -> None:
        length = self.backend.config.seq_len
        vocab_size = self.backend.config.vocab_size
        dtype = token_dtype(vocab_size)
        max_steps = self.halting.max_steps
        self.indices = np.zeros(count, np.int64)
        self.steps = np.zeros(count, np.int32)
        self._tokens = np.zeros((count, length), np.int32)
        self._embeddings: NDArray[np.float32] | None = None
        if self._table is not None:
            self._embeddings = np.zeros((count, self._table.shape[1]), np.float32)
        self._reset = np.ones(count, np.bool_)
        self._q_halt = np.zeros((count, max_steps), np.float32)
        self._q_continue = np.zeros((count, max_steps), np.float32)
        self._trajectory: Tokens | None = None
        if self._trace:
            self._trajectory = np.zeros((count, max_steps, length), dtype)
        # The last prediction of every slot, and the number of predictions before it that equal it.
        self._last_prediction: Tokens | None = None
        if self.halting.unchanged:
            self._last_prediction = np.zeros((count, length), dtype)
        self._unchanged_steps = np.zeros(count, np.int32)
        self._changes: NDArray[np.float32] | None = None
        if self._measures_changes:
            self._changes = np.zeros((count, max_steps), np.float32)
            self._last_logits = np.zeros((count, length, vocab_size), np.float32)
        self._due = np.full(count, inf)
        self._timed_out = np.zeros(count, np.bool_)
        self._is_done = np.zeros(count, np.bool_)
        self._perturbation = Perturbation(self.backend)
        self._rules = SlotRules(self.halting)

    def __len__(self) -> int:
        return len(self.indices)

    def launch_step(self) -> None:
        """Begin a step of all slots.

        Raises:
            BackendError: the step failed, or a puzzle has a start or noise and the backend cannot
                write its carry.
        """
        self._launched = time.monotonic()
        self._perturbation.apply(self._reset, self.steps)
        self.backend.launch_step(self._tokens, self._embeddings, self._reset)

    def wait_step(self) -> None:
        """Wait for the step that was launched and record its output."""
        q_halt, q_continue = self.backend.wait_step()
        slots = np.arange(len(self))
        self._q_halt[slots, self.steps] = q_halt
        self._q_continue[slots, self.steps] = q_continue
        if self._trajectory is not None or self._last_prediction is not None:
            self._record_predictions(slots, self.backend.predictions(slots))
        if self._changes is not None:
            self._changes[slots, self.steps] = self._change(self.backend.logits(slots))
        self.steps += 1
        self._reset[:] = False

    def retire(self) -> list[Solution]:
        """Take the solutions of the slots that are done; :meth:`refill` gives them new puzzles.

        A slot is done when its puzzle halts, when another step would come too late, or when nobody
        wants its answer any more; the last gives no solution. Time passes while a caller deals with
        the solutions, so a second call after the same step may find more of them.

        Returns:
            The solutions that were not taken yet, in the order of their slots.
        """
        self._record_time()
        slots = np.arange(len(self))
        q_halt = self._q_halt[slots, self.steps - 1]
        q_continue = self._q_continue[slots, self.steps - 1]
        unchanged = self._unchanged_steps
        finished = self._rules.halted(self.steps, q_halt, q_continue, unchanged)
        next_end = time.monotonic() + self._step_times.expected
        self._timed_out = ~finished & (next_end > self._due)
        unwanted = self._unwanted()
        done = np.flatnonzero((finished | self._timed_out) & ~unwanted & ~self._is_done)
        self._is_done |= finished | self._timed_out | unwanted
        if not len(done):
            return []
        held = self._rules.held(q_halt, q_continue, unchanged)
        answers = self.backend.predictions(done)
        solutions = []
        for slot, answer, halted in zip(done, answers, held[done], strict=True):
            solutions.append(self._solution(int(slot), answer, bool(halted)))
        return solutions

    def refill(self) -> None:
        """Load the puzzles that are there into the slots that are done, and give up the others.

        Where more puzzles wait than slots are done, a backend that can add slots gets more of them.
        Another one gets no puzzle where more wait than the group has slots: once its last slot is
        done, the group begins again with more of them.

        Raises:
            PuzzleError: a puzzle does not fit the model.
            ConfigError: the rule of a puzzle does not fit the solver's.
        """
        slots = len(self)
        waiting = self._intake.feed.ready()
        if self.backend.can_add_slots:
            self._add_slots(min(waiting - int(self._is_done.sum()), self.capacity - slots))
        begins_again = not self.backend.can_add_slots and slots < self.capacity and waiting > slots
        for slot in np.flatnonzero(self._is_done):
            item = None if begins_again else self._intake.take()
            if item is None:
                break
            self.steps[slot] = 0
            self._reset[slot] = True
            self._is_done[slot] = False
            self._load(int(slot), *item)
            self._due[slot] = self._due_time(item[0])
        if self._is_done.any():
            self._select(np.flatnonzero(~self._is_done))

    def _add_slots(self, count: int) -> None:
        """Add slots that are done, so that they can be loaded."""
        if count <= 0:
            return
        slots = len(self)
        copied: NDArray[np.int64] = np.zeros(count, np.int64)  # whatever they hold is reset
        self._select(np.concatenate([np.arange(slots), copied]))
        self._is_done[slots:] = True

    def _unwanted(self) -> NDArray[np.bool_]:
        """Mark the slots (B,) at work whose answers nobody needs any more."""
        unwanted: NDArray[np.bool_] = np.zeros(len(self), np.bool_)
        feed = self._intake.feed
        if feed.reacts:
            for slot in np.flatnonzero(~self._is_done):
                unwanted[slot] = not feed.is_wanted(int(self.indices[slot]))
        return unwanted

    def _load(self, slot: int, index: int, puzzle: Puzzle) -> None:
        self.indices[slot] = index
        self._tokens[slot] = puzzle.tokens
        if self._embeddings is not None and self._table is not None:
            self._embeddings[slot] = self._table[puzzle.identifier]
        self._perturbation.load(slot, puzzle)
        options = self._intake.feed.options(index)
        self._rules.load(slot, None if options is None else options.halting)

    def _due_time(self, index: int) -> float:
        """When the answer to a puzzle that was just taken is due, by time.monotonic()."""
        due = self._intake.feed.due(index)
        return due if self._deadline == inf else min(due, time.monotonic() + self._deadline)

    def _record_time(self) -> None:
        """Record the time of the last step, with what is read from it, where it is known.

        Without a deadline the caller may have been at work between its launch and its end.
        """
        if self._launched is not None and self._deadline < inf:
            self._step_times.record(time.monotonic() - self._launched, len(self))
        self._launched = None

    def _record_predictions(self, slots: NDArray[np.int64], predictions: Tokens) -> None:
        if self._trajectory is not None:
            self._trajectory[slots, self.steps] = predictions
        if self._last_prediction is not None:
            # The first step of a puzzle has no prediction before it.
            equal = (predictions == self._last_prediction).all(1) & (self.steps > 0)
            self._unchanged_steps = np.where(equal, self._unchanged_steps + 1, 0)
            self._last_prediction = predictions

    def _change(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean magnitude (B,) of the difference from the last step's logits (B, L, V)."""
        change: NDArray[np.float32] = np.abs(logits - self._last_logits).mean((1, 2))
        change[self.steps == 0] = inf
        self._last_logits = logits
        return change

    def _solution(self, slot: int, answer: Tokens, halted: bool) -> Solution:
        steps = int(self.steps[slot])
        trajectory = None
        if self._trajectory is not None:
            trajectory = self._trajectory[slot, :steps].copy()
        changes = None
        if self._changes is not None:
            changes = self._changes[slot, :steps].copy()
        return Solution(
            index=int(self.indices[slot]),
            answer=answer,
            steps=steps,
            halted=halted,
            q_halt=self._q_halt[slot, :steps].copy(),
            q_continue=self._q_continue[slot, :steps].copy(),
            trajectory=trajectory,
            changes=changes,
            timed_out=bool(self._timed_out[slot]),
        )

    def _select(self, slots: NDArray[np.int64]) -> None:
        """Continue with these slots, in this order; one that is named again is copied."""
        self.indices = self.indices[slots]
        self.steps = self.steps[slots]
        self._tokens = self._tokens[slots]
        self._reset = self._reset[slots]
        self._q_halt = self._q_halt[slots]
        self._q_continue = self._q_continue[slots]
        self._unchanged_steps = self._unchanged_steps[slots]
        self._due = self._due[slots]
        self._is_done = self._is_done[slots]
        self._perturbation.keep(slots)
        self._rules.keep(slots)
        if self._changes is not None:
            self._changes = self._changes[slots]
            self._last_logits = self._last_logits[slots]
        if self._embeddings is not None:
            self._embeddings = self._embeddings[slots]
        if self._trajectory is not None:
            self._trajectory = self._trajectory[slots]
        if self._last_prediction is not None:
            self._last_prediction = self._last_prediction[slots]
        if len(slots):
            self.backend.compact(slots)
