"""One puzzle from the first ACT step to the last, for the page to play back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trm_edge.bundle import Bundle
from trm_edge.evaluation.vectors import ParityVectors
from trm_edge.loop.halting import confidence
from trm_edge.loop.solution import Solution
from trm_edge.loop.solver import Solver
from trm_edge.progress import Metered, Track, silent
from trm_edge.puzzle import Tokens, unknown_label
from trm_edge.tasks.base import Task

CANDIDATES = 32  # puzzles that are solved to choose one


@dataclass(frozen=True)
class Refinement:
    """A puzzle and a bundle's prediction after each step.

    Args:
        label: label of the row that solved it.
        task: name of the task.
        number: position of the puzzle among the held-out ones, from 1.
        columns: cells in a row of the board.
        boxes: rows and columns of the boxes of the board; None where it has none.
        looks: text and CSS class of a cell, by token id.
        puzzle: token ids (L,).
        steps: predicted token ids (T, L) after each step.
        confidence: sigmoid(q_halt) (T,) after each step, 0 to 1.
        halted: True if the halting rule stopped it, False if it ran out of steps.
        right: whether the answer is right; None if that is not known.
    """

    label: str
    task: str
    number: int
    columns: int
    boxes: tuple[int, int] | None
    looks: tuple[tuple[str, str], ...]
    puzzle: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]
    confidence: tuple[float, ...]
    halted: bool
    right: bool | None

    def changed(self, step: int) -> list[int]:
        """List the cells that differ from the previous step, or from the puzzle at the first.

        Args:
            step: number of the step, from 1.
        """
        before = self.puzzle
        if step > 1:
            before = self.steps[step - 2]
        pairs = zip(before, self.steps[step - 1], strict=True)
        return [cell for cell, (old, new) in enumerate(pairs) if old != new]


def record_refinement(
    bundle: Bundle,
    target: str,
    label: str,
    *,
    puzzles: int | None = None,
    threads: int = 0,
    track: Track = silent,
) -> Refinement:
    """Record a puzzle worth watching: solved correctly, in as many steps as possible.

    The candidates are the puzzles that the float32 model takes the most steps for.

    Args:
        bundle: the bundle.
        target: name of the target that solves.
        label: label of its row in the report.
        puzzles: consider only this many of the held-out puzzles; all by default.
        threads: CPU threads; 0: every core.
        track: reports progress.

    Raises:
        BundleError: the bundle's parity vectors are damaged.
        EngineError: the target has an engine that does not fit this machine.
        BackendError: the engine failed.
    """
    vectors = bundle.parity()
    if puzzles is not None:
        vectors = vectors.first(puzzles)
    task = bundle.task()
    indices = _candidates(vectors)
    solutions = _solve(bundle, target, label, vectors, indices, threads, track)

    def interest(solution: Solution) -> tuple[bool, bool, int, int]:
        right = _is_right(task, vectors, indices[solution.index], solution.answer)
        return right is True, solution.halted, solution.steps, -solution.index

    best = max(solutions, key=interest)
    index = indices[best.index]
    if best.trajectory is None:
        raise ValueError("a solver with trace=True keeps every step")
    return Refinement(
        label=label,
        task=task.name,
        number=index + 1,
        columns=task.columns,
        boxes=task.boxes,
        looks=task.looks(),
        puzzle=tuple(vectors.tokens[index].tolist()),
        steps=tuple(map(tuple, best.trajectory.tolist())),
        confidence=tuple(confidence(best.q_halt).tolist()),
        halted=best.halted,
        right=_is_right(task, vectors, index, best.answer),
    )


def _solve(
    bundle: Bundle,
    target: str,
    label: str,
    vectors: ParityVectors,
    indices: Sequence[int],
    threads: int,
    track: Track,
) -> list[Solution]:
    every = vectors.puzzles()
    candidates = [every[index] for index in indices]
    backend = bundle.backend(target, threads=threads)
    with Solver(backend, bundle.puzzle_embeddings(), trace=True) as solver:
        solutions = Metered(solver.solve(candidates), "puzzles")
        return list(track(solutions, f"{label}: one puzzle", len(candidates)))


def _candidates(vectors: ParityVectors) -> list[int]:
    """Indices of the puzzles to try: those that float32 solves first, the most steps first."""
    answers = vectors.answers(adaptive=True)
    is_known = vectors.labels != unknown_label(vectors.labels.dtype)
    wrong = ((answers != vectors.labels) & is_known).any(1)
    order: NDArray[np.int64] = np.lexsort((-vectors.halting_steps, wrong))
    indices: list[int] = order[:CANDIDATES].tolist()
    return indices


def _is_right(task: Task, vectors: ParityVectors, index: int, answer: Tokens) -> bool | None:
    """Judge by the known answer, otherwise by the task; None if neither can tell."""
    label = vectors.labels[index]
    is_known = bool((label != unknown_label(label.dtype)).all())
    if is_known and task.are_right(answer[np.newaxis], label[np.newaxis])[0]:
        return True
    if task.judges:
        return task.problem(vectors.tokens[index], answer) is None
    if is_known:
        return False
    return None
