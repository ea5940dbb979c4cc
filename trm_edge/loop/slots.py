"""The slots of one backend: launch a step, settle it, give freed slots to the next puzzles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.loop.halting import HaltingRule
from trm_edge.puzzle import Puzzle, Tokens, token_dtype


@dataclass(frozen=True)
class Finished:
    """What a slot hands out when its puzzle is done."""

    index: int
    answer: Tokens  # (L,)
    halted: bool
    q_halt: NDArray[np.float32]  # (steps,)
    q_continue: NDArray[np.float32]
    trajectory: Tokens | None  # (steps, L)


class SlotGroup:
    """Slots at work on one backend.

    Args:
        source: numbered puzzles; other lanes may draw from it too.
        slots: at most; fewer where fewer puzzles are left.
        table: (N, E) float32 puzzle embeddings, where the model has them.
        trace: keep the prediction of every step.
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
        self.backend, self.halting = backend, halting
        self._source, self._table = source, table
        first = list(islice(source, slots))
        count, steps = len(first), halting.max_steps
        length = backend.config.seq_len
        dtype = token_dtype(backend.config.vocab_size)
        self.indices = np.array([index for index, _ in first], np.int64)
        self.steps = np.zeros(count, np.int32)  # taken by the puzzle in each slot
        self._tokens = np.zeros((count, length), np.int32)
        self._rows = None if table is None else np.zeros((count, table.shape[1]), np.float32)
        self._reset = np.ones(count, np.bool_)
        self._q = np.zeros((2, count, steps), np.float32)
        self._trajectory = np.zeros((count, steps, length), dtype) if trace else None
        # The last prediction of every slot and how many before it equal it, for the rule alone.
        self._last = np.zeros((count, length), dtype) if halting.unchanged else None
        self._same = np.zeros(count, np.int32)
        for slot, (_, puzzle) in enumerate(first):
            self._place(slot, puzzle)
        if count:
            backend.start(count)

    def __len__(self) -> int:
        return len(self.indices)

    def launch_step(self) -> None:
        """Begin a step of all slots."""
        self.backend.launch_step(self._tokens, self._rows, self._reset)

    def wait_step(self) -> None:
        """Wait for the step and note what it said."""
        q_halt, q_continue = self.backend.wait_step()
        slots = np.arange(len(self))
        self._q[0, slots, self.steps] = q_halt
        self._q[1, slots, self.steps] = q_continue
        if self._trajectory is not None or self._last is not None:
            predictions = self.backend.predictions(slots)
            if self._trajectory is not None:
                self._trajectory[slots, self.steps] = predictions
            if self._last is not None:
                equal = (predictions == self._last).all(1) & (self.steps > 0)
                self._last, self._same = predictions, np.where(equal, self._same + 1, 0)
        self.steps += 1
        self._reset[:] = False

    def retire_and_refill(self) -> list[Finished]:
        """Take the answers of the slots that halted and fill these again, or give them up."""
        slots = np.arange(len(self))
        q_halt, q_continue = self._q[:, slots, self.steps - 1]
        done = np.flatnonzero(self.halting.halted(self.steps, q_halt, q_continue, self._same))
        if not len(done):
            return []
        said = q_halt[done], q_continue[done]
        stops = self.halting.wants_to_stop(*said) | self.halting.holds(*said, self._same[done])
        answers = self.backend.predictions(done)
        finished = [
            self._finished(int(slot), answer, bool(halted))
            for slot, answer, halted in zip(done, answers, stops, strict=True)
        ]
        for slot, item in zip(done, self._source, strict=False):  # done first: none is drawn idly
            index, puzzle = item
            self.indices[slot], self.steps[slot], self._reset[slot] = index, 0, True
            self._place(int(slot), puzzle)
        freed = done[self.steps[done] > 0]
        if len(freed):
            self._shrink(np.setdiff1d(slots, freed))
        return finished

    def _place(self, slot: int, puzzle: Puzzle) -> None:
        self._tokens[slot] = puzzle.tokens
        if self._rows is not None and self._table is not None:
            self._rows[slot] = self._table[puzzle.identifier]

    def _finished(self, slot: int, answer: Tokens, halted: bool) -> Finished:
        steps = int(self.steps[slot])
        q_halt, q_continue = self._q[:, slot, :steps].copy()
        path = None if self._trajectory is None else self._trajectory[slot, :steps].copy()
        return Finished(int(self.indices[slot]), answer, halted, q_halt, q_continue, path)

    def _shrink(self, left: NDArray[np.int64]) -> None:
        self.indices, self.steps = self.indices[left], self.steps[left]
        self._tokens, self._reset = self._tokens[left], self._reset[left]
        self._rows = None if self._rows is None else self._rows[left]
        self._q = self._q[:, left]
        self._trajectory = None if self._trajectory is None else self._trajectory[left]
        self._last = None if self._last is None else self._last[left]
        self._same = self._same[left]
        if len(left):
            self.backend.compact(left)
