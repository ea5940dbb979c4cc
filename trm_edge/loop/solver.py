"""The halting loop: which slot stops, and which puzzle takes its place.

A batch is a set of slots. After every ACT step the slots that halted hand out their answers and
are given to the next puzzles at once, so the loop's cost follows the average number of steps and
not the slowest puzzle. When no puzzle is left the batch shrinks to the slots still at work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from trm_edge.backends.base import Backend
from trm_edge.errors import ConfigError
from trm_edge.loop.halting import HaltingRule
from trm_edge.loop.slots import SlotGroup
from trm_edge.puzzle import Puzzle, Tokens, check_puzzle

# Called after every step with the indices (B,) of the puzzles at work and the steps (B,) they have
# taken, while the backend still holds the outputs of that step.
StepCallback = Callable[[NDArray[np.int64], NDArray[np.int32]], None]


@dataclass(frozen=True)
class Solution:
    """What comes out for one puzzle."""

    index: int  # position in the stream that was given, from 0
    answer: Tokens  # (L,) token ids of the step it stopped at
    steps: int  # taken for it
    halted: bool  # the rule held; False: it ran out of steps
    q_halt: NDArray[np.float32]  # (steps,)
    q_continue: NDArray[np.float32]  # (steps,)
    trajectory: Tokens | None = None  # (steps, L), where asked for

    @property
    def confidence(self) -> float:
        """The halting head's probability that the answer is right, sigmoid(q_halt)."""
        return float(1.0 / (1.0 + np.exp(-np.float64(self.q_halt[-1]))))


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
        watch: StepCallback | None = None,
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
        self.halting = halting or HaltingRule.from_config(config)
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
        return in_order(answers) if ordered else answers

    def _run(self, source: Iterator[tuple[int, Puzzle]]) -> Iterator[Solution]:
        rest = _checked(source, self)
        # Whoever watches or traces asks the backend after every step: one lane is simpler to read.
        alone = self.trace or self.watch is not None
        backends = (self.backend,) if alone else self.backend.slot_groups(self.batch)
        shares = [len(part) for part in np.array_split(np.arange(self.batch), len(backends))]
        slot_groups = []
        for backend, slots in zip(backends, shares, strict=True):
            group = SlotGroup(
                backend, self.halting, rest, slots, self.puzzle_embeddings, trace=self.trace
            )
            if len(group):
                group.launch_step()
                slot_groups.append(group)
        while slot_groups:
            for group in tuple(slot_groups):
                group.wait_step()
                self.slot_steps += len(group)
                if self.watch is not None:
                    self.watch(group.indices.copy(), group.steps.copy())
                finished = group.retire_and_refill()
                if len(group):
                    group.launch_step()
                else:
                    slot_groups.remove(group)
                for one in finished:
                    yield Solution(
                        index=one.index,
                        answer=one.answer,
                        steps=len(one.q_halt),
                        halted=one.halted,
                        q_halt=one.q_halt,
                        q_continue=one.q_continue,
                        trajectory=one.trajectory,
                    )


def _checked(source: Iterator[tuple[int, Puzzle]], solver: Solver) -> Iterator[tuple[int, Puzzle]]:
    for index, puzzle in source:
        check_puzzle(puzzle, index, solver.config)
        yield index, puzzle


def in_order(solutions: Iterator[Solution]) -> Iterator[Solution]:
    """Hold back what is early; nothing else waits."""
    waiting: dict[int, Solution] = {}
    due = 0
    for solution in solutions:
        waiting[solution.index] = solution
        while due in waiting:
            yield waiting.pop(due)
            due += 1
