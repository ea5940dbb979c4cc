"""A slot group: the slots of one backend, their steps, and the puzzles in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.loop.feed import Intake
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle, Tokens, token_dtype


class SlotGroup:
    """Slots that one backend advances together.

    Args:
        backend: an activated backend; it is started with the number of slots.
        halting: when a slot is done.
        intake: numbered puzzles; other groups may take from the same one.
        capacity: slots at most; fewer where fewer puzzles are there.
        table: (N, E) float32 puzzle embeddings, where the model has them.
        trace: keep the prediction of every step.

    Attributes:
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
        table: NDArray[np.float32] | None,
        *,
        trace: bool = False,
    ) -> None:
        self.backend = backend
        self.halting = halting
        self._intake = intake
        self._capacity = capacity
        self._table = table
        self._trace = trace
        self._done: NDArray[np.int64] = np.zeros(0, np.int64)
        self._allocate(0)

    def fill(self) -> None:
        """Begin with the puzzles that are there, where the group has no slots left.

        Raises:
            PuzzleError: a puzzle does not fit the model.
            BackendError: the backend cannot run that many slots.
        """
        puzzles: list[tuple[int, Puzzle]] = []
        while len(puzzles) < self._capacity:
            item = self._intake.take()
            if item is None:
                break
            puzzles.append(item)
        self._allocate(len(puzzles))
        for slot, (index, puzzle) in enumerate(puzzles):
            self._load(slot, index, puzzle)
        if puzzles:
            self.backend.start(len(puzzles))

    def _allocate(self, count: int) -> None:
        length = self.backend.config.seq_len
        dtype = token_dtype(self.backend.config.vocab_size)
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

    def __len__(self) -> int:
        return len(self.indices)

    def launch_step(self) -> None:
        """Begin a step of all slots."""
        self.backend.launch_step(self._tokens, self._embeddings, self._reset)

    def wait_step(self) -> None:
        """Wait for the step that was launched and record its output."""
        q_halt, q_continue = self.backend.wait_step()
        slots = np.arange(len(self))
        self._q_halt[slots, self.steps] = q_halt
        self._q_continue[slots, self.steps] = q_continue
        if self._trajectory is not None or self._last_prediction is not None:
            self._record_predictions(slots, self.backend.predictions(slots))
        self.steps += 1
        self._reset[:] = False

    def retire(self) -> list[Solution]:
        """Take the solutions of the slots that are done; :meth:`refill` gives them new puzzles.

        Returns:
            The solutions, in the order of their slots.
        """
        slots = np.arange(len(self))
        q_halt = self._q_halt[slots, self.steps - 1]
        q_continue = self._q_continue[slots, self.steps - 1]
        unchanged = self._unchanged_steps
        done = np.flatnonzero(self.halting.halted(self.steps, q_halt, q_continue, unchanged))
        self._done = done
        if not len(done):
            return []
        head = self.halting.wants_to_stop(q_halt[done], q_continue[done])
        reason = self.halting.has_reason(q_halt[done], q_continue[done], unchanged[done])
        answers = self.backend.predictions(done)
        solutions = []
        for slot, answer, halted in zip(done, answers, head | reason, strict=True):
            solutions.append(self._solution(int(slot), answer, bool(halted)))
        return solutions

    def refill(self) -> None:
        """Load the puzzles that are there into the slots that are done, and give up the others.

        Where more puzzles wait than the group has slots, none is loaded: once its last slot is
        done, the group begins again with more of them.

        Raises:
            PuzzleError: a puzzle does not fit the model.
        """
        slots = len(self)
        grows = slots < self._capacity and self._intake.feed.ready() > slots
        for slot in self._done:
            item = None if grows else self._intake.take()
            if item is None:
                break
            self.steps[slot] = 0
            self._reset[slot] = True
            self._load(int(slot), *item)
        freed = self._done[self.steps[self._done] > 0]
        if len(freed):
            self._shrink(np.setdiff1d(np.arange(slots), freed))

    def _load(self, slot: int, index: int, puzzle: Puzzle) -> None:
        self.indices[slot] = index
        self._tokens[slot] = puzzle.tokens
        if self._embeddings is not None and self._table is not None:
            self._embeddings[slot] = self._table[puzzle.identifier]

    def _record_predictions(self, slots: NDArray[np.int64], predictions: Tokens) -> None:
        if self._trajectory is not None:
            self._trajectory[slots, self.steps] = predictions
        if self._last_prediction is not None:
            # The first step of a puzzle has no prediction before it.
            equal = (predictions == self._last_prediction).all(1) & (self.steps > 0)
            self._unchanged_steps = np.where(equal, self._unchanged_steps + 1, 0)
            self._last_prediction = predictions

    def _solution(self, slot: int, answer: Tokens, halted: bool) -> Solution:
        steps = int(self.steps[slot])
        trajectory = None
        if self._trajectory is not None:
            trajectory = self._trajectory[slot, :steps].copy()
        return Solution(
            index=int(self.indices[slot]),
            answer=answer,
            steps=steps,
            halted=halted,
            q_halt=self._q_halt[slot, :steps].copy(),
            q_continue=self._q_continue[slot, :steps].copy(),
            trajectory=trajectory,
        )

    def _shrink(self, slots: NDArray[np.int64]) -> None:
        """Keep these slots alone."""
        self.indices = self.indices[slots]
        self.steps = self.steps[slots]
        self._tokens = self._tokens[slots]
        self._reset = self._reset[slots]
        self._q_halt = self._q_halt[slots]
        self._q_continue = self._q_continue[slots]
        self._unchanged_steps = self._unchanged_steps[slots]
        if self._embeddings is not None:
            self._embeddings = self._embeddings[slots]
        if self._trajectory is not None:
            self._trajectory = self._trajectory[slots]
        if self._last_prediction is not None:
            self._last_prediction = self._last_prediction[slots]
        if len(slots):
            self.backend.compact(slots)
