"""The halting loop: which slot stops, and which puzzle takes its place.

A batch is a set of slots. After every ACT step the slots that halted hand out their answers and
are given to the next puzzles at once, so the loop's cost follows the average number of steps and
not the slowest puzzle. When no puzzle is left the batch shrinks to the slots still at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.errors import ConfigError, PuzzleError
from trm_edge.halting import HaltingRule


@dataclass(frozen=True)
class Puzzle:
    """What goes in: token ids (L,) and the row of the puzzle-embedding table."""

    tokens: NDArray[np.int32]
    identifier: int = 0


@dataclass(frozen=True)
class Solution:
    """What comes out for one puzzle."""

    index: int  # position in the stream that was given, from 0
    answer: NDArray[np.uint8]  # (L,) token ids of the step it stopped at
    steps: int
    halted: bool  # the rule held; False: it ran out of steps
    q_halt: NDArray[np.float32]  # (steps,)
    q_continue: NDArray[np.float32]  # (steps,)
    trajectory: NDArray[np.uint8] | None = None  # (steps, L), where asked for

    @property
    def confidence(self) -> float:
        """The halting head's probability that the answer is right, sigmoid(q_halt)."""
        return float(1.0 / (1.0 + np.exp(-np.float64(self.q_halt[-1]))))


@dataclass
class _Slot:
    """A puzzle at work."""

    index: int
    puzzle: Puzzle
    q_halt: list[float] = field(default_factory=list)
    q_continue: list[float] = field(default_factory=list)
    trajectory: list[NDArray[np.uint8]] = field(default_factory=list)


class Solver:
    """Drives a backend over a stream of puzzles.

    A context manager: the backend is loaded on entry and freed on exit.

    Args:
        backend: any engine that keeps the step contract.
        puzzle_embeddings: (N, E) float32, required where the model has a table; may be
            memory-mapped.
        halting: by default the model's own rule, adaptive.
        batch: slots worked on at once.
        trace: keep the prediction of every step.
        watch: called after every step with the indices (B,) of the puzzles at work and the steps
            (B,) they have taken, while the backend still holds that step's output.

    Raises:
        ConfigError: the batch is not positive or the table is missing or misshapen.
    """

    def __init__(
        self,
        backend: Backend,
        puzzle_embeddings: NDArray[np.float32] | None = None,
        *,
        halting: HaltingRule | None = None,
        batch: int = 32,
        trace: bool = False,
        watch: Callable[[NDArray[np.int64], NDArray[np.int32]], None] | None = None,
    ) -> None:
        config = backend.config
        if batch < 1:
            raise ConfigError(f"batch must be 1 or more, but got {batch}.")
        if config.puzzle_emb_ndim:
            wanted = (config.num_puzzle_identifiers, config.puzzle_emb_ndim)
            got = None if puzzle_embeddings is None else puzzle_embeddings.shape
            if got != wanted:
                raise ConfigError(f"puzzle_embeddings must have shape {wanted}, but got {got}.")
        self.backend = backend
        self.config = config
        self.puzzle_embeddings = puzzle_embeddings if config.puzzle_emb_ndim else None
        self.halting = halting or HaltingRule.of(config)
        self.batch = batch
        self.trace = trace
        self.watch = watch
        self.slot_steps = 0  # ACT steps over all puzzles; no slot is ever idle

    def __enter__(self) -> Solver:
        self.backend.activate()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.backend.deactivate()

    def solve(self, puzzles: Iterable[Puzzle], *, ordered: bool = False) -> Iterator[Solution]:
        """Answers as they come, or in the order of the puzzles.

        Memory does not grow with the stream. In order, at most ``batch * max_steps`` answers wait.

        Raises:
            PuzzleError: tokens or identifier do not fit the model; names the puzzle's index.
            BackendError: the engine failed.
        """
        answers = self._run(enumerate(puzzles))
        return _in_order(answers) if ordered else answers

    def _run(self, source: Iterator[tuple[int, Puzzle]]) -> Iterator[Solution]:
        rest = _checked(source, self)
        slots = [_Slot(*item) for item in islice(rest, self.batch)]
        if not slots:
            return
        self.backend.start(len(slots))
        tokens = np.stack([slot.puzzle.tokens for slot in slots]).astype(np.int32)
        rows = self._rows([slot.puzzle for slot in slots])
        reset = np.ones(len(slots), np.bool_)
        while slots:
            q_halt, q_continue = self.backend.step(tokens, rows, reset)
            self.slot_steps += len(slots)
            for slot, halt, go_on in zip(slots, q_halt.tolist(), q_continue.tolist(), strict=True):
                slot.q_halt.append(halt)
                slot.q_continue.append(go_on)
            if self.trace:
                every = self.backend.predictions(np.arange(len(slots)))
                for slot, prediction in zip(slots, every, strict=True):
                    slot.trajectory.append(prediction)
            steps = np.array([len(slot.q_halt) for slot in slots], np.int32)
            if self.watch is not None:
                self.watch(np.array([slot.index for slot in slots], np.int64), steps)
            done = np.flatnonzero(self.halting.halted(steps, q_halt, q_continue))
            reset = np.zeros(len(slots), np.bool_)
            if not len(done):
                continue
            answers = self.backend.predictions(done)
            finished = [
                self._solution(slots[place], answer)
                for place, answer in zip(done, answers, strict=True)
            ]
            freed = []
            for place in done:
                item = next(rest, None)
                if item is None:
                    freed.append(place)
                    continue
                slots[place] = _Slot(*item)
                tokens[place] = item[1].tokens
                if rows is not None:
                    rows[place] = self._rows([item[1]])
                reset[place] = True
            if freed:
                left = np.setdiff1d(np.arange(len(slots)), freed)
                slots = [slots[place] for place in left]
                tokens, reset = tokens[left], reset[left]
                rows = None if rows is None else rows[left]
                if slots:
                    self.backend.keep(left)
            yield from finished

    def _rows(self, puzzles: list[Puzzle]) -> NDArray[np.float32] | None:
        if self.puzzle_embeddings is None:
            return None
        rows = self.puzzle_embeddings[[puzzle.identifier for puzzle in puzzles]]
        return np.asarray(rows, np.float32)

    def _solution(self, slot: _Slot, answer: NDArray[np.uint8]) -> Solution:
        q_halt = np.array(slot.q_halt, np.float32)
        q_continue = np.array(slot.q_continue, np.float32)
        return Solution(
            index=slot.index,
            answer=answer,
            steps=len(q_halt),
            halted=bool(self.halting.wants_to_stop(q_halt[-1:], q_continue[-1:])[0]),
            q_halt=q_halt,
            q_continue=q_continue,
            trajectory=np.stack(slot.trajectory) if self.trace else None,
        )


def _checked(source: Iterator[tuple[int, Puzzle]], solver: Solver) -> Iterator[tuple[int, Puzzle]]:
    config = solver.config
    for index, puzzle in source:
        shape = np.shape(puzzle.tokens)
        if shape != (config.seq_len,):
            raise PuzzleError(
                f"puzzle {index}: tokens must have shape ({config.seq_len},), but got {shape}."
            )
        low, high = int(puzzle.tokens.min()), int(puzzle.tokens.max())
        if low < 0 or high >= config.vocab_size:
            raise PuzzleError(
                f"puzzle {index}: token ids must lie in 0..{config.vocab_size - 1}, "
                f"but got {low if low < 0 else high}."
            )
        if not 0 <= puzzle.identifier < config.num_puzzle_identifiers:
            raise PuzzleError(
                f"puzzle {index}: identifier must lie in 0..{config.num_puzzle_identifiers - 1}, "
                f"but got {puzzle.identifier}."
            )
        yield index, puzzle


def _in_order(solutions: Iterator[Solution]) -> Iterator[Solution]:
    waiting: dict[int, Solution] = {}
    due = 0
    for solution in solutions:
        waiting[solution.index] = solution
        while due in waiting:
            yield waiting.pop(due)
            due += 1
