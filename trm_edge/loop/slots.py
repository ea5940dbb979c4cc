"""A slot group: the slots of one backend, their steps, and the puzzles in them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle, Tokens, token_dtype


class SlotGroup:
    """Slots that one backend advances together.

    Args:
        backend: an activated backend; it is started with the number of slots.
        halting: when a slot is done.
        source: numbered puzzles; other groups may draw from the same iterator.
        slots: at most; fewer where fewer puzzles are left.
        table: (N, E) float32 puzzle embeddings, where the model has them.
        trace: keep the prediction of every step.

    Attributes:
        indices: (B,) int64, number of the puzzle in each slot.
        steps: (B,) int32, ACT steps that each of these puzzles has taken.
    """

    def __init__(
        self,
        backend: Backend,
        halting: HaltingRule,
        source: Iterator[tuple[int, Puzzle]],
        slots: int,
        table: NDArray[np.float32] | None,
        *,
        trace: bool = False,
    ) -> None:
        self.backend = backend
        self.halting = halting
        self._source = source
        self._table = table
        initial = list(islice(source, slots))
        count = len(initial)
        length = backend.config.seq_len
        dtype = token_dtype(backend.config.vocab_size)
        self.indices = np.array([index for index, _ in initial], np.int64)
        self.steps = np.zeros(count, np.int32)
        self._tokens = np.zeros((count, length), np.int32)
        self._embeddings: NDArray[np.float32] | None = None
        if table is not None:
            self._embeddings = np.zeros((count, table.shape[1]), np.float32)
        self._reset = np.ones(count, np.bool_)
        self._q_halt = np.zeros((count, halting.max_steps), np.float32)
        self._q_continue = np.zeros((count, halting.max_steps), np.float32)
        self._trajectory: Tokens | None = None
        if trace:
            self._trajectory = np.zeros((count, halting.max_steps, length), dtype)
        # The last prediction of every slot, and the number of predictions before it that equal it.
        self._last_prediction: Tokens | None = None
        if halting.unchanged:
            self._last_prediction = np.zeros((count, length), dtype)
        self._unchanged_steps = np.zeros(count, np.int32)
        for slot, (_, puzzle) in enumerate(initial):
            self._load(slot, puzzle)
        if count:
            backend.start(count)

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

    def retire_and_refill(self) -> list[Solution]:
        """Take the solutions of the slots that are done, and load the next puzzles into them.

        Slots for which no puzzle is left are given up.

        Returns:
            The solutions, in the order of their slots.
        """
        slots = np.arange(len(self))
        q_halt = self._q_halt[slots, self.steps - 1]
        q_continue = self._q_continue[slots, self.steps - 1]
        unchanged = self._unchanged_steps
        done = np.flatnonzero(self.halting.halted(self.steps, q_halt, q_continue, unchanged))
        if not len(done):
            return []
        head = self.halting.wants_to_stop(q_halt[done], q_continue[done])
        reason = self.halting.has_reason(q_halt[done], q_continue[done], unchanged[done])
        answers = self.backend.predictions(done)
        solutions = []
        for slot, answer, halted in zip(done, answers, head | reason, strict=True):
            solutions.append(self._solution(int(slot), answer, bool(halted)))
        self._refill(done)
        return solutions

    def _refill(self, done: NDArray[np.int64]) -> None:
        # zip stops at `done` first, so no puzzle is drawn for which there is no slot.
        for slot, (index, puzzle) in zip(done, self._source, strict=False):
            self.indices[slot] = index
            self.steps[slot] = 0
            self._reset[slot] = True
            self._load(int(slot), puzzle)
        freed = done[self.steps[done] > 0]
        if len(freed):
            self._shrink(np.setdiff1d(np.arange(len(self)), freed))

    def _load(self, slot: int, puzzle: Puzzle) -> None:
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
