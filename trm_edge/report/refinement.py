"""One puzzle from the first step to the last: what the page plays back."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt, sqrt

import numpy as np
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.progress import Track, silent
from trm_edge.puzzle import Tokens, unknown_label
from trm_edge.tasks.base import Task

TRIED = 32  # puzzles, those that float32 takes longest over
_MAZE = (("?", "pad"), ("", "wall"), ("", "open"), ("S", "end"), ("G", "end"), ("", "way"))


@dataclass(frozen=True)
class Refinement:
    """A puzzle and what a bundle predicted after each step."""

    label: str  # of the row that solved it
    task: str
    number: int  # of the puzzle among those held out, from 1
    columns: int  # cells in a row
    looks: tuple[tuple[str, str], ...]  # by token id: the text of a cell, and its kind
    puzzle: tuple[int, ...]  # (L,) token ids
    steps: tuple[tuple[int, ...], ...]  # (T, L)
    confidence: tuple[float, ...]  # (T,): sigmoid(q_halt), 0..1
    halted: bool  # the rule held; False: it ran out of steps
    right: bool | None  # None where nobody knows

    def changed(self, step: int) -> list[int]:
        """Cells that differ from the step before; from the puzzle at the first. ``step`` from 1."""
        before = self.steps[step - 2] if step > 1 else self.puzzle
        pairs = zip(before, self.steps[step - 1], strict=True)
        return [cell for cell, (old, new) in enumerate(pairs) if old != new]


def refine(
    bundle: Bundle,
    target: str,
    label: str,
    *,
    puzzles: int | None = None,
    threads: int = 0,
    track: Track = silent,
) -> Refinement:
    """Of the puzzles that float32 takes longest over, the right one with the most steps here.

    Args:
        puzzles: of the held-out puzzles, how many may be taken; all by default.
        threads: of the CPU; 0: every core.
    """
    vectors = bundle.parity()
    vectors = vectors if puzzles is None else vectors.first(puzzles)
    task, tried = bundle.task(), _longest(vectors)
    given = vectors.puzzles()
    with Solver(
        bundle.backend(target, threads=threads), bundle.puzzle_embeddings(), trace=True
    ) as solver:
        solutions = list(
            track(solver.solve(given[row] for row in tried), f"{label}: one puzzle", len(tried))
        )

    def worth(solution: Solution) -> tuple[bool, bool, int, int]:
        right = _right(task, vectors, int(tried[solution.index]), solution.answer)
        return right is True, solution.halted, solution.steps, -solution.index

    best = max(solutions, key=worth)
    row = int(tried[best.index])
    if best.trajectory is None:
        raise ValueError("a solver with trace=True keeps every step")
    return Refinement(
        label=label,
        task=task.name,
        number=row + 1,
        columns=_columns(task),
        looks=_looks(task),
        puzzle=tuple(vectors.tokens[row].tolist()),
        steps=tuple(tuple(step) for step in best.trajectory.tolist()),
        confidence=tuple((1 / (1 + np.exp(-best.q_halt.astype(np.float64)))).tolist()),
        halted=best.halted,
        right=_right(task, vectors, row, best.answer),
    )


def _longest(vectors: ParityVectors) -> NDArray[np.int64]:
    """Rows of the puzzles to try: first those that float32 solves, the most steps first."""
    answers, known = vectors.answers(adaptive=True), vectors.labels
    wrong = ((answers != known) & (known != unknown_label(known.dtype))).any(1)
    order: NDArray[np.int64] = np.lexsort((-vectors.halting_steps, wrong))
    return order[:TRIED]


def _right(task: Task, vectors: ParityVectors, row: int, answer: Tokens) -> bool | None:
    """As the known answer has it, or else as the task judges."""
    known = vectors.labels[row]
    if (known != unknown_label(known.dtype)).all() and (answer == known).all():
        return True
    if task.judges:
        return task.problem(vectors.tokens[row], answer) is None
    return False if (known != unknown_label(known.dtype)).all() else None


def _columns(task: Task) -> int:
    length = task.config.seq_len
    side = isqrt(length)
    return side if side * side == length else ceil(sqrt(length))


def _looks(task: Task) -> tuple[tuple[str, str], ...]:
    if task.name == "sudoku":
        return (("", "blank"), ("", "blank"), *((str(digit), "digit") for digit in range(1, 10)))
    if task.name == "maze":
        return _MAZE
    return tuple((str(token), "token") for token in range(task.config.vocab_size))
